// Nobody is left in the memory space to wake anybody, whoever holds what.
#include <gtest/gtest.h>

#include "tests/unit/detect/findings.h"

namespace ct {
namespace {

using testing::Findings;

TEST(ClosedWorld, AnOwnerlessLockThatNobodyIsLeftToRelease) {
  EXPECT_EQ(Findings(R"(
    closed
    lock S: semaphore unknown
    lock B: condition unknown
    a: waits S
    b: waits B event 4s
  )"),
            "DEADLOCK certain, never, for 4.0 s | a b wait");
}

TEST(ClosedWorld, ALostWakeUpBehindAJoin) {
  EXPECT_EQ(Findings(R"(
    closed
    lock C: condition unknown
    main: joins worker1
    worker1: waits C event
    worker2: waits C event
  )"),
            "PROBABLE_DEADLOCK probable, never, for 10.0 s | main worker1 worker2 wait");
}

TEST(ClosedWorld, ASignalHandlerMightStillWakeThem) {
  EXPECT_EQ(Findings(R"(
    closed
    lock C: condition unknown
    main: joins worker, signal
    worker: waits C event
  )"),
            "PROBABLE_DEADLOCK probable, unless signalled, for 10.0 s | main worker wait");
}

TEST(ClosedWorld, IdleProgramsAreSilent) {
  EXPECT_EQ(Findings(R"(
    closed
    lock C: condition unknown
    main: waits C event
    worker: waits C event
  )"),
            "");
}

TEST(ClosedWorld, OneWayOutIsEnough) {
  const std::string stuck = "closed\nlock S: semaphore unknown\na: waits S 500ms\n";
  ASSERT_EQ(Findings(stuck), "DEADLOCK certain, never, for 500 ms | a wait");
  EXPECT_EQ(Findings(stuck + "b: runs"), "");
  EXPECT_EQ(Findings(stuck + "b:"), "") << "asleep in something else, such as epoll_wait";
  EXPECT_EQ(Findings(stuck + "b: stopped"), "");
  EXPECT_EQ(Findings(stuck + "b: waits S 500ms timed"), "");
  EXPECT_EQ(Findings(stuck + "b: waits S 500ms timed=30s"), "");
  EXPECT_EQ(Findings(stuck + "b: waits S 500ms public"), "");
  EXPECT_EQ(Findings(stuck + "b: waits S 500ms continued"), "");
  // Woken: it may find the semaphore posted once it runs.
  EXPECT_EQ(Findings(stuck + "b: waits S 500ms woken, runnable"), "");
  EXPECT_EQ(Findings(stuck + "b: waits S 500ms once"), "");
}

TEST(ClosedWorld, NeedsEveryThreadObserved) {
  EXPECT_EQ(Findings("lock S: semaphore unknown\na: waits S 500ms"), "");

  Observation one_missing = testing::Observe("closed\nlock S: semaphore unknown\na: waits S 500ms");
  one_missing.spaces.front().threads = 2;
  EXPECT_EQ(testing::Summary(Detect(one_missing), one_missing), "");
}

TEST(ClosedWorld, ALockLikeWaitNeedsEvidence) {
  EXPECT_EQ(Findings("closed\nlock S: semaphore unknown\na: waits S 500ms doubtful"), "");
}

TEST(ClosedWorld, AnotherSpaceDoesNotOpenIt) {
  EXPECT_EQ(Findings(R"(
    closed
    lock S: semaphore unknown
    a: waits S
    process other
    b: runs
  )"),
            "DEADLOCK certain, never, for 10.0 s | a wait");
}

TEST(ClosedWorld, ARingInItSaysMoreAndSaysItAlone) {
  EXPECT_EQ(Findings(R"(
    closed
    lock C: condition unknown
    a: holds L, waits M
    b: holds M, waits L
    c: waits C event
  )"),
            "DEADLOCK certain, never, for 10.0 s | a>M b>L");
}

// Who seems to hold what makes it no less certain, and is told.
TEST(ClosedWorld, WithAProbableRingInIt) {
  const Observation observation = testing::Observe(R"(
    closed
    a: holds L probable, waits M
    b: holds M probable, waits L
    main: joins a
  )");
  const std::vector<Finding> findings = Detect(observation);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].kind, FindingKind::kDeadlock);
  EXPECT_EQ(findings[0].evidence, Evidence::kCertain);
  EXPECT_EQ(findings[0].members.size(), 3U);
  EXPECT_EQ(findings[0].ring.size(), 2U);
}

TEST(ClosedWorld, WithAProbableRingBesideAnAbandonedLock) {
  const std::vector<Finding> findings = Detect(testing::Observe(R"(
    closed
    lock X: exited
    a: holds L probable, waits M
    b: holds M probable, waits L
    c: waits X
  )"));
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].kind, FindingKind::kProbableDeadlock);
  EXPECT_EQ(findings[1].kind, FindingKind::kAbandonedLock);
}

TEST(ClosedWorld, ThreadsThatShareMemoryAcrossProcessesAreOneSpace) {
  Observation vforked = testing::Observe(R"(
    closed
    lock S: semaphore unknown
    a: waits S 500ms
    process child
    b: runs
  )");
  vforked.processes[1].space = vforked.processes[0].space;
  vforked.spaces[0].threads = 2;
  EXPECT_EQ(testing::Summary(Detect(vforked), vforked), "");
}

}  // namespace
}  // namespace ct
