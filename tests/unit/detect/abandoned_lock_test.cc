#include <gtest/gtest.h>

#include "tests/unit/detect/findings.h"

namespace ct {
namespace {

using testing::Findings;
using testing::ProofOf;

TEST(AbandonedLock, ItsWaitersAndThoseBehindThem) {
  EXPECT_EQ(Findings(R"(
    lock L: exited
    a: waits L 20s
    b: waits L, holds M
    c: waits M
  )"),
            "ABANDONED_LOCK certain, never, for 20.0 s | a b wait | behind c");
}

TEST(AbandonedLock, APoolOfWhichOneHolderWaitsForItIsBehind) {
  EXPECT_EQ(Findings(R"(
    lock L: exited
    lock pool: pool capacity=2
    a: holds pool, waits L
    b: holds pool, waits pool
    c: waits pool
  )"),
            "ABANDONED_LOCK certain, never, for 10.0 s | a wait | behind b c");
}

TEST(AbandonedLock, WithoutAWaiterIsNobodysTrouble) {
  EXPECT_EQ(Findings("lock L: exited\na: runs"), "");
}

TEST(AbandonedLock, SeenOnceItMayJustHaveChangedHands) {
  EXPECT_EQ(Findings("lock L: exited\na: waits L 500ms once"), "");
}

TEST(AbandonedLock, IsAsSureAsItsBestWaiter) {
  EXPECT_EQ(Findings("lock L: exited\na: waits L probable"),
            "ABANDONED_LOCK probable, never, for 10.0 s | a wait");
  EXPECT_EQ(Findings("lock L: exited\na: waits L probable\nb: waits L"),
            "ABANDONED_LOCK certain, never, for 10.0 s | a b wait");
}

TEST(AbandonedLock, EndsWhenTheLastTimedWaiterGivesUp) {
  EXPECT_EQ(Findings("lock L: exited\na: waits L timed=5s\nb: waits L timed=9s"),
            "ABANDONED_LOCK certain, timeout in 9.0 s, for 10.0 s | a b wait");
  EXPECT_EQ(Findings("lock L: exited\na: waits L timed=5s\nb: waits L timed"),
            "ABANDONED_LOCK certain, timeout, for 10.0 s | a b wait");
  EXPECT_EQ(Findings("lock L: exited\na: waits L timed=5s\nb: waits L"),
            "ABANDONED_LOCK certain, never, for 10.0 s | a b wait");
}

TEST(AbandonedLock, TheKernelHandsARobustOneOn) {
  EXPECT_EQ(Findings("lock L: exited robust\na: waits L"),
            "ABANDONED_LOCK certain, may end, for 10.0 s | a wait");
  EXPECT_EQ(Findings("lock L: forked robust\na: waits L"),
            "ABANDONED_LOCK certain, never, for 10.0 s | a wait");
}

TEST(AbandonedLock, ThatNamesNobodyIsProbableAndTakesALongWait) {
  EXPECT_EQ(Findings(R"(
    lock L: unreferenced
    a: waits L 20s, holds M
    b: waits L 100ms
    c: waits M
  )"),
            "ABANDONED_LOCK probable, never, for 20.0 s | a b wait | behind c");
  EXPECT_EQ(Findings("lock L: unreferenced\na: waits L 500ms"), "");
  EXPECT_EQ(Findings("lock L: unreferenced\na: waits L 20s once").find("ABANDONED"),
            std::string::npos);
}

TEST(AbandonedLock, ThatNamesNobodyIsNoneIfSomebodyHasIt) {
  const std::string findings = Findings("lock L: unreferenced\na: waits L 20s\nb: runs, holds L");
  EXPECT_EQ(findings.find("ABANDONED"), std::string::npos) << findings;
}

TEST(AbandonedLock, ThatNamesNobodyMakesNoDeadlock) {
  const std::string findings =
      Findings("lock L: unreferenced\na: waits L 500ms, holds M\nb: waits M 500ms");
  EXPECT_EQ(findings, "");
}

TEST(AbandonedLock, SaysWhyNobodyWillReleaseIt) {
  const std::string waits = "a (1000) waits for it at both looks";
  EXPECT_EQ(
      ProofOf("lock L: exited\na: waits L"),
      (std::vector<std::string>{"mutex L is locked: thread 77 ended without releasing it", waits}));
  EXPECT_EQ(ProofOf("lock L: forked\na: waits L"),
            (std::vector<std::string>{
                "mutex L is locked: thread 77 of the parent held it when this process was forked",
                waits}));
  EXPECT_EQ(ProofOf("lock L: reused\na: waits L"),
            (std::vector<std::string>{"mutex L is locked: thread 77 ended without releasing it, "
                                      "and another has its number now",
                                      waits}));
}

}  // namespace
}  // namespace ct
