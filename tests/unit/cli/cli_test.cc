#include <gtest/gtest.h>

#include "cli/exit_status.h"
#include "cli/options.h"
#include "cli/pacer.h"

namespace ct {
namespace {

TEST(ParseDuration, TakesWhatPeopleWrite) {
  EXPECT_EQ(*ParseDuration("250ms"), 250 * kMillisecond);
  EXPECT_EQ(*ParseDuration("1s"), kSecond);
  EXPECT_EQ(*ParseDuration("1.5s"), 1500 * kMillisecond);
  EXPECT_EQ(*ParseDuration("2m"), 120 * kSecond);
  EXPECT_EQ(*ParseDuration("1h"), 3600 * kSecond);
  EXPECT_EQ(*ParseDuration("100us"), 100 * kMicrosecond);
  EXPECT_EQ(*ParseDuration("3"), 3 * kSecond);
}

TEST(ParseDuration, RefusesTheRestWithAHint) {
  for (const char* text : {"", "s", "-1s", "1x", "1 s", "1e30h", "nan", "inf", "ms250"}) {
    const Result<DurationNs> parsed = ParseDuration(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kUsage);
    EXPECT_NE(parsed.error().message.find("250ms"), std::string::npos);
  }
}

Finding With(FindingKind kind, Ending ending) {
  Finding finding;
  finding.kind = kind;
  finding.ending = ending;
  return finding;
}

TEST(ExitStatus, SaysTheWorst) {
  Observation clean;
  EXPECT_EQ(ExitStatusOf(clean, {}), kExitNothing);

  Observation lossy;
  lossy.losses.push_back({"thread not readable", 1, true, ""});
  EXPECT_EQ(ExitStatusOf(lossy, {}), kExitNotSeen);
  lossy.losses[0].relevant = false;
  EXPECT_EQ(ExitStatusOf(lossy, {}), kExitNothing);

  const std::vector<Finding> slow = {With(FindingKind::kLongWait, Ending::kMayEnd)};
  EXPECT_EQ(ExitStatusOf(clean, slow), kExitFindings);
  const std::vector<Finding> timed = {With(FindingKind::kDeadlock, Ending::kTimeout)};
  EXPECT_EQ(ExitStatusOf(clean, timed), kExitFindings);
  const std::vector<Finding> hang = {With(FindingKind::kLongWait, Ending::kMayEnd),
                                     With(FindingKind::kDeadlock, Ending::kNever)};
  EXPECT_EQ(ExitStatusOf(clean, hang), kExitHang);
}

TEST(Pacer, BacksOffAndComesBack) {
  const DurationNs asked = 250 * kMillisecond;
  EXPECT_EQ(Pacer::Next(asked, asked, 0.02), asked);
  EXPECT_EQ(Pacer::Next(asked, asked, 0.05), 2 * asked);
  EXPECT_EQ(Pacer::Next(asked, 16 * asked, 0.05), 16 * asked);
  EXPECT_EQ(Pacer::Next(asked, 2 * asked, 0.02), 2 * asked);
  EXPECT_EQ(Pacer::Next(asked, 2 * asked, 0.005), asked);
  EXPECT_EQ(Pacer::Next(asked, asked, 0.001), asked);
}

TEST(Pacer, CountsWhatTheReaderTakesInTheStepsAlone) {
  const DurationNs first_look = kSecond;
  const DurationNs later_look = 100 * kSecond;
  Pacer pacer(kSecond);
  std::string note;
  pacer.BeginStep(first_look);
  EXPECT_EQ(pacer.EndStep(later_look), "") << "the first step's cost is nobody's steady cost";
  const auto steps = [&](DurationNs reader_cpu_before, DurationNs reader_cpu_after) {
    for (int i = 0; i < Pacer::kSteps; ++i) {
      pacer.BeginStep(reader_cpu_before);
      note = pacer.EndStep(reader_cpu_after);
    }
    return pacer.interval();
  };
  EXPECT_EQ(steps(later_look, later_look), kSecond);
  EXPECT_EQ(note, "");
  EXPECT_EQ(steps(later_look, 2 * later_look), 2 * kSecond);
  EXPECT_NE(note, "");
}

TEST(Pacer, LeavesOutWhatHasNothingToDoWithSweeps) {
  const DurationNs other = 100 * kSecond;
  Pacer pacer(kSecond);
  pacer.BeginStep(0);
  pacer.EndStep(0);
  for (int i = 0; i < Pacer::kSteps; ++i) {
    // Between two steps, all of it by the reader.
    if (i == Pacer::kSteps - 1) pacer.LeaveOut(other);
    pacer.BeginStep(i == Pacer::kSteps - 1 ? other : 0);
    EXPECT_EQ(pacer.EndStep(i == Pacer::kSteps - 1 ? other : 0), "");
  }
  EXPECT_EQ(pacer.interval(), kSecond);
}

}  // namespace
}  // namespace ct
