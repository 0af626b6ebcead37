// Holds that last: one finding a lock or place, but for those that another finding explains.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/detect/findings.h"

namespace ct {
namespace {

using ::testing::ElementsAre;

class LongHolds {
 public:
  explicit LongHolds(std::string_view text) : observation(testing::Observe(text)) {
    observation.hold_activity.since = testing::kNow - 60 * kSecond;
    observation.hold_activity.long_hold = 200 * kMillisecond;
  }

  // By the actor of that name.
  LongHold& Add(ResourceIndex resource, ActorIndex actor, DurationNs duration, bool ended = true) {
    LongHold hold;
    hold.resource = resource;
    hold.process = 0;
    hold.thread = observation.actors[static_cast<std::size_t>(actor)].id;
    hold.thread_name = observation.actors[static_cast<std::size_t>(actor)].name;
    hold.evidence = Evidence::kCertain;
    hold.since = testing::kNow - (ended ? 10 * kSecond : duration);
    hold.duration = duration;
    hold.ended = ended;
    observation.hold_activity.long_holds.push_back(hold);
    return observation.hold_activity.long_holds.back();
  }

  StackIndex Stack(const char* function) {
    Frame frame;
    frame.function = function;
    observation.stacks.push_back({{frame}, StackEnd::kComplete});
    return static_cast<StackIndex>(observation.stacks.size() - 1);
  }

  Observation observation;
};

TEST(LongHold, TheHoldsOfOneLockAreOneFinding) {
  LongHolds story("lock L: \na: runs\nb: runs");
  story.Add(0, 0, 300 * kMillisecond);
  story.Add(0, 1, 900 * kMillisecond);
  story.Add(0, 0, 500 * kMillisecond, false);
  const std::vector<Finding> findings = Detect(story.observation);
  ASSERT_EQ(findings.size(), 1U);
  const Finding& finding = findings[0];
  EXPECT_EQ(finding.kind, FindingKind::kLongHold);
  EXPECT_EQ(finding.evidence, Evidence::kCertain);
  EXPECT_EQ(finding.ending, Ending::kMayEnd);
  EXPECT_THAT(finding.long_holds, ElementsAre(1, 2, 0));
  EXPECT_THAT(finding.resources, ElementsAre(0));
  EXPECT_EQ(finding.root, 0);
  EXPECT_EQ(finding.since, testing::kNow - 10 * kSecond);
  EXPECT_THAT(finding.proof,
              ElementsAre("3 holds of 200 ms or longer, each seen as it was acquired",
                          "a (1000) has it still and runs"));
  EXPECT_TRUE(Concerns(finding, story.observation, 0));
}

TEST(LongHold, LocksWithoutANameAreOneByWhereTheyWereTaken) {
  LongHolds story("lock L: address\nlock M: address\nlock N: address\nlock O: \na: runs");
  const StackIndex save = story.Stack("Row::Save()");
  const StackIndex load = story.Stack("Row::Load()");
  story.Add(0, 0, 300 * kMillisecond).acquired_at = save;
  story.Add(1, 0, 400 * kMillisecond).acquired_at = save;
  story.Add(2, 0, 500 * kMillisecond).acquired_at = load;
  story.Add(3, 0, 600 * kMillisecond).acquired_at = save;
  story.Add(2, 0, 600 * kMillisecond);  // no place: for itself
  const std::vector<Finding> findings = Detect(story.observation);
  std::vector<std::vector<ResourceIndex>> resources;
  resources.reserve(findings.size());
  for (const Finding& finding : findings) resources.push_back(finding.resources);
  EXPECT_THAT(resources, ::testing::UnorderedElementsAre(
                             std::vector<ResourceIndex>{1, 0}, std::vector<ResourceIndex>{2},
                             std::vector<ResourceIndex>{2}, std::vector<ResourceIndex>{3}));
}

TEST(LongHold, NotWhereTheHolderIsExplained) {
  LongHolds story("a: holds L, waits M\nb: holds M, waits L");
  story.Add(0, 0, 10 * kSecond, false);
  story.Add(1, 1, 10 * kSecond, false);
  EXPECT_EQ(testing::Summary(Detect(story.observation), story.observation),
            "DEADLOCK certain, never, for 10.0 s | a>M b>L");

  LongHolds behind("a: waits L 3s\nb: holds L, runs");
  behind.Add(0, 1, 10 * kSecond, false);
  EXPECT_EQ(testing::Summary(Detect(behind.observation), behind.observation),
            "LONG_WAIT certain, may end, for 3.0 s | a wait | a>L | root b");
  // What it had before is told.
  behind.Add(0, 1, 5 * kSecond);
  EXPECT_EQ(Detect(behind.observation).size(), 2U);
}

TEST(LongHold, AUnitOfAPoolIsToldToo) {
  LongHolds story("lock P: pool capacity=3\na: holds P, runs");
  story.Add(0, 0, 10 * kSecond, false);
  const std::vector<Finding> findings = Detect(story.observation);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].kind, FindingKind::kLongHold);
}

TEST(LongHold, RanksBelowLongWaits) {
  LongHolds story("lock M: \na: waits L 3s\nb: holds L, runs\nc: runs");
  story.Add(0, 2, 10 * kSecond, false);
  const std::vector<Finding> findings = Detect(story.observation);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].kind, FindingKind::kLongWait);
  EXPECT_EQ(findings[1].kind, FindingKind::kLongHold);
}

TEST(LongHold, ToleratesIndicesThatPointNowhere) {
  LongHolds story("lock L: \na: runs");
  for (const std::int32_t nowhere : {-1, 7, 1'000'000}) {
    story.Add(0, 0, kSecond).resource = nowhere;
    story.Add(0, 0, kSecond).process = nowhere;
    story.Add(0, 0, kSecond).acquired_at = nowhere;
  }
  EXPECT_EQ(Detect(story.observation).size(), 1U);
}

}  // namespace
}  // namespace ct
