// What holds for all kinds of findings together.
#include "detect/detect.h"

#include <gtest/gtest.h>

#include "tests/unit/detect/findings.h"

namespace ct {
namespace {

TEST(Detect, NothingInNothing) { EXPECT_TRUE(Detect(Observation{}).empty()); }

TEST(Detect, TellsDeadlocksFirstThenByHowManyTheyBlock) {
  EXPECT_EQ(testing::Findings(R"(
    lock X: exited
    z: waits X
    y1: waits L 3s
    y2: waits L 3s
    y3: waits L 3s
    y4: holds L, runs
    a: holds M, waits M
    b: holds N, waits N
    c: waits N
    d: holds O probable, waits O
  )"),
            "DEADLOCK certain, never, for 10.0 s | b>N | behind c\n"
            "DEADLOCK certain, never, for 10.0 s | a>M\n"
            "PROBABLE_DEADLOCK probable, never, for 10.0 s | d>O\n"
            "ABANDONED_LOCK certain, never, for 10.0 s | z wait\n"
            "LONG_WAIT certain, may end, for 3.0 s | y1 y2 y3 wait | y1>L | root y4");
}

TEST(Detect, WithAFilterTellsOnlyWhatConcernsTheSelected) {
  Observation observation = testing::Observe(R"(
    a: waits L public 3s
    process holder
    b: holds L, runs
    process bystander
    c: holds M, waits M
  )");
  observation.processes[1].selected = false;
  observation.processes[2].selected = false;
  observation.filter = "--pid 1000";
  EXPECT_EQ(testing::Summary(Detect(observation), observation),
            "LONG_WAIT certain, may end, for 3.0 s | a wait | a>L | root b");
}

TEST(Detect, SaysWhomAFindingConcerns) {
  const Observation observation = testing::Observe(R"(
    a: holds L, waits L public
    process behind
    b: waits L public
    process bystander
    c: runs
  )");
  const std::vector<Finding> findings = Detect(observation);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(BlockedActors(findings[0]), 2U);
  EXPECT_TRUE(Concerns(findings[0], observation, 0));
  EXPECT_TRUE(Concerns(findings[0], observation, 1));
  EXPECT_FALSE(Concerns(findings[0], observation, 2));
}

// A file from elsewhere may hold anything.
TEST(Detect, ToleratesIndicesThatPointNowhere) {
  Observation observation = testing::Observe(R"(
    a: holds L, waits M 500ms
    b: holds M, waits L 500ms
  )");
  for (const std::int32_t nowhere : {-1, -7, 2, 1'000'000}) {
    Observation broken = observation;
    broken.holds.push_back(broken.holds[0]);
    broken.holds.back().actor = nowhere;
    EXPECT_TRUE(Detect(broken).empty()) << "who else holds L is unknown: " << nowhere;

    broken = observation;
    broken.holds[0].resource = nowhere;
    EXPECT_TRUE(Detect(broken).empty());

    broken = observation;
    broken.waits[0].actor = nowhere;
    EXPECT_TRUE(Detect(broken).empty());

    broken = observation;
    broken.waits[0].resource = nowhere;
    EXPECT_TRUE(Detect(broken).empty());

    broken = observation;
    broken.actors[0].process = nowhere;
    broken.filter = "--pid 1000";
    EXPECT_EQ(Detect(broken).size(), 1U);
  }
}

TEST(Detect, AnActorsSecondWaitIsIgnored) {
  Observation observation = testing::Observe("a: holds L, waits L, waits M");
  EXPECT_EQ(testing::Summary(Detect(observation), observation),
            "DEADLOCK certain, never, for 10.0 s | a>L");
}

}  // namespace
}  // namespace ct
