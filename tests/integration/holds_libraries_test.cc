// Libraries of the shipped catalog: absl::Mutex, and the pools of APR and libmongoc.
#include <regex>

#include <gmock/gmock.h>

#include "tests/integration/holds.h"

namespace ct::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const Strings kLongHold{"--long-hold", "200ms"};

std::string Absl(const std::string& mark) { return LineOf("absl_locks.cc", "absl " + mark); }

TEST(AbseilMutex, InversionAndLongHold) {
  const Followed followed = Follow("absl_locks", {}, {kLongHold, "", {}});
  const std::string& found = followed.answer.findings;
  EXPECT_THAT(found, HasSubstr(Lines({"LOCK_ORDER_INVERSION certain, may end",
                                      "  one has rw lock g_routes of " + Absl("has") +
                                          ", wants rw lock g_peers at " + Absl("wants"),
                                      "  two has rw lock g_peers of " + Absl("has") +
                                          ", wants rw lock g_routes at " + Absl("wants")})));
  EXPECT_THAT(
      found,
      HasSubstr(Lines({"LONG_HOLD certain, may end", "  keeper had rw lock g_routes from " +
                                                         Absl("takes") + " to " + Absl("gives")})));
  EXPECT_EQ(followed.answer.snapshot.findings_size(), 2) << found;
  EXPECT_EQ(followed.answer.run.status, kFindings);
}

class AbseilTwin : public testing::TestWithParam<const char*> {};

TEST_P(AbseilTwin, IsSilent) {
  ExpectSilence(Follow("absl_locks", {GetParam()}, {kLongHold, "", {}}));
}

INSTANTIATE_TEST_SUITE_P(Holds, AbseilTwin, testing::Values("--healthy", "--readers", "--waits"),
                         [](const auto& info) { return std::string(info.param + 2); });

class LibraryPool : public testing::TestWithParam<const char*> {
 protected:
  static Strings With(const Strings& more) {
    Strings arguments{std::string("--kind=") + GetParam()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
};

// How many units it has is in none of its arguments.
TEST_P(LibraryPool, Deadlock) {
  Followed followed =
      Follow("library_pools", With({}), {{"--long-hold", "1h"}, "DEADLOCK", {"left", "right"}});
  followed.answer.findings =
      std::regex_replace(followed.answer.findings, std::regex("ring: [^\n]*"), "ring");
  const std::string line = LineOf("library_pools.cc", GetParam());
  // APR's units are not known one by one.
  const std::string holders = "left (" + line + ") and right (" + line + ")";
  ExpectFound(
      followed, kHang,
      Lines({"PROBABLE_DEADLOCK probable, never ends", Waits({"left", "pool", holders, line}),
             Waits({"right", "pool", holders, line}), "  ring"}));
}

TEST_P(LibraryPool, AtWorkIsSilent) {
  FollowOptions options;
  options.after = std::chrono::seconds(2);
  ExpectSilence(Follow("library_pools", With({"--healthy"}), options));
}

// What was not given in time is nobody's.
TEST_P(LibraryPool, AcquireThatFails) {
  Target target("library_pools", With({"--timeout"}));
  const Followed followed = Follow(target);
  ExpectSilence(followed);
  EXPECT_EQ(target.Fact("third"), 0);
  const v1::Snapshot& snapshot = followed.answer.snapshot;
  int pools = 0;
  for (const v1::ResourceHolds& row : snapshot.resource_holds()) {
    const v1::Resource& resource = snapshot.resources(static_cast<int>(row.resource()));
    if (resource.kind() != v1::RESOURCE_KIND_POOL) continue;
    ++pools;
    EXPECT_EQ(row.holds().holds(), 2U);
    EXPECT_EQ(resource.in_use(), 0U);
    EXPECT_EQ(resource.high_water(), 2U);
  }
  EXPECT_EQ(pools, 1);
}

INSTANTIATE_TEST_SUITE_P(Holds, LibraryPool, testing::Values("apr", "mongoc"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace ct::test
