// LONG_HOLD: who had a lock for a second and a half, from which line to which, whether anybody
// waited or not; and waits and failures that are no holds.
#include <gmock/gmock.h>

#include "tests/integration/holds.h"

namespace ct::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Had(const std::string& who, const std::string& what, const std::string& mark) {
  return Lines({"LONG_HOLD certain, may end", "  " + who + " had " + what + " from " +
                                                  LineOf("long_hold.cc", mark + " takes") + " to " +
                                                  LineOf("long_hold.cc", mark + " lets go")});
}

const v1::LongHold& OnlyRow(const Followed& followed) {
  if (followed.answer.snapshot.long_holds_size() != 1) {
    throw std::runtime_error("not one long hold: " + followed.answer.run.output);
  }
  return followed.answer.snapshot.long_holds(0);
}

void ExpectAbout(const v1::LongHold& hold, double seconds) {
  const double took = static_cast<double>(hold.duration_ns()) / 1e9;
  EXPECT_GE(took, seconds - 0.01);
  EXPECT_LE(took, seconds + 0.5);
}

TEST(LongHold, OfAMutexThatNobodyWaitsFor) {
  const Followed followed = Follow("long_hold", {});
  ExpectFound(followed, kFindings, Had("cache", "mutex g_cache_mu", "cache"));
  ExpectAbout(OnlyRow(followed), 1.5);
  for (const char* words : {"Rebuild", "g_cache_mu"}) {
    EXPECT_THAT(followed.text, HasSubstr(words));
  }
  EXPECT_THAT(followed.text, HasSubstr(LineOf("long_hold.cc", "cache takes")));
}

TEST(LongHold, ThatGoesOnIsTold) {
  FollowOptions options;
  options.until = "LONG_HOLD";
  const Followed followed = Follow("long_hold", {"--keeps"}, options);
  ExpectFound(followed, kFindings,
              Lines({"LONG_HOLD certain, may end",
                     "  root: cache sleeping in pause at " + LineOf("long_hold.cc", "cache is"),
                     "  cache has mutex g_cache_mu from " +
                         LineOf("long_hold.cc", "cache takes for ever")}));
  EXPECT_FALSE(OnlyRow(followed).ended());
  EXPECT_GE(OnlyRow(followed).duration_ns(), 1'000'000'000);
}

// Those of one place are one finding, the longest first.
TEST(LongHold, SeveralOfOnePlace) {
  const Followed followed =
      Follow("long_hold", {"--often", "--milliseconds=300"}, {{"--long-hold", "200ms"}, "", {}});
  std::string expected = Had("cache", "mutex g_cache_mu", "cache");
  expected.insert(expected.find("cache had"), "3 x ");
  ExpectFound(followed, kFindings, expected);
  ASSERT_EQ(followed.answer.snapshot.findings_size(), 1);
  ASSERT_EQ(followed.answer.snapshot.findings(0).long_holds_size(), 3);
  const auto longest = static_cast<int>(followed.answer.snapshot.findings(0).long_holds(0));
  ExpectAbout(followed.answer.snapshot.long_holds(longest), 0.6);
}

// Whether a semaphore is a lock, only its use says: this one's holders have given it back before.
TEST(LongHold, OfASemaphoreThatIsUsedAsALockIsProbable) {
  const std::string file = "semaphores.cc";
  const Followed ended =
      Follow("semaphores", {"--hogged", "--milliseconds=1500"}, {{}, "LONG_HOLD", {}});
  ExpectFound(ended, kFindings,
              Lines({"LONG_HOLD probable, may end", "  hog had probably semaphore g_tape from " +
                                                        LineOf(file, "hog takes") + " to " +
                                                        LineOf(file, "hog lets go")}));
  const Followed lasting =
      Follow("semaphores", {"--hogged", "--milliseconds=100000"}, {{}, "LONG_HOLD", {}});
  ExpectFound(lasting, kFindings,
              Lines({"LONG_HOLD probable, may end",
                     "  root: hog sleeping in clock_nanosleep at " + LineOf(file, "hog works"),
                     "  hog has probably semaphore g_tape from " + LineOf(file, "hog takes")}));
}

// Taken once and not given back: it may as well have been a signal.
TEST(LongHold, OfASemaphoreThatMayBeASignalIsNone) {
  for (const char* how : {"--waits", "--given-back"}) {
    const Followed followed =
        Follow("semaphores", {how}, {{"--long-hold", "300ms", "--long-wait", "1h"}, "", {}});
    ExpectSilence(followed);
  }
}

struct Case {
  const char* option;
  const char* who;
  const char* what;
  bool reacquired = false;
};

void PrintTo(const Case& each, std::ostream* stream) { *stream << each.who; }

class LongHoldBy : public testing::TestWithParam<Case> {};

TEST_P(LongHoldBy, IsFound) {
  const Case& each = GetParam();
  const Followed followed =
      Follow("long_hold", {each.option, "--milliseconds=600"}, {{"--long-hold", "500ms"}, "", {}});
  std::string expected = Had(each.who, each.what, each.who);
  ExpectFound(followed, kFindings, expected);
  ExpectAbout(OnlyRow(followed), 0.6);
}

INSTANTIATE_TEST_SUITE_P(LongHold, LongHoldBy,
                         testing::Values(Case{"--recursive", "index", "mutex g_index_mu"},
                                         Case{"--try", "try", "mutex g_cache_mu"},
                                         Case{"--timed", "timed", "mutex g_report_mu"},
                                         Case{"--read", "read", "rw lock g_routes (shared)"},
                                         Case{"--spin", "spin", "mutex g_counter_spin"}),
                         [](const auto& info) { return std::string(info.param.who); });

// pthread_cond_timedwait has the mutex again, from its own line on.
TEST(LongHold, OfWhatAConditionGaveBack) {
  const Followed followed = Follow("long_hold", {"--reacquired", "--milliseconds=600"},
                                   {{"--long-hold", "500ms"}, "", {}});
  ExpectFound(
      followed, kFindings,
      Lines({"LONG_HOLD certain, may end", "  wait had mutex g_jobs_mu from " +
                                               LineOf("long_hold.cc", "wait takes again") + " to " +
                                               LineOf("long_hold.cc", "wait lets go")}));
}

class NoLongHold : public testing::TestWithParam<const char*> {};

TEST_P(NoLongHold, IsSilent) {
  const Followed followed =
      Follow("long_hold", {GetParam(), "--milliseconds=1000"}, {{"--long-hold", "500ms"}, "", {}});
  ExpectSilence(followed);
  EXPECT_EQ(followed.answer.snapshot.long_holds_size(), 0);
}

INSTANTIATE_TEST_SUITE_P(LongHold, NoLongHold,
                         testing::Values("--healthy", "--waits", "--refused", "--passed-on"),
                         [](const auto& info) {
                           std::string name = info.param + 2;
                           std::erase(name, '-');
                           return name;
                         });

// All holds are counted, though none of them travels.
TEST(LongHold, ShortOnesAreCounted) {
  const Followed followed = Follow("long_hold", {"--healthy"});
  ExpectSilence(followed);
  const v1::Snapshot& snapshot = followed.answer.snapshot;
  std::uint64_t holds = 0;
  for (const v1::ResourceHolds& row : snapshot.resource_holds()) {
    const v1::Resource& lock = snapshot.resources(static_cast<int>(row.resource()));
    if (Text(snapshot, lock.symbol()) != "g_cache_mu") continue;
    holds += row.holds().holds();
    EXPECT_LT(row.holds().max_duration_ns(), 500'000'000);
    EXPECT_EQ(row.foreign_releases(), 0U);
  }
  EXPECT_EQ(holds, 1000U);
}

}  // namespace
}  // namespace ct::test
