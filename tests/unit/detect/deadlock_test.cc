#include <gtest/gtest.h>

#include "tests/unit/detect/findings.h"

namespace ct {
namespace {

using testing::Findings;

TEST(Deadlock, OfTwoThreadsAndTwoMutexes) {
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M 668s
    b: holds M, waits L 669s
  )"),
            "DEADLOCK certain, never, for 11m08s | a>M b>L");
}

TEST(Deadlock, OfFive) {
  EXPECT_EQ(Findings(R"(
    a: holds A, waits B
    b: holds B, waits C
    c: holds C, waits D
    d: holds D, waits E
    e: holds E, waits A
  )"),
            "DEADLOCK certain, never, for 10.0 s | a>B b>C c>D d>E e>A");
}

TEST(Deadlock, WithItself) {
  EXPECT_EQ(Findings("a: holds L, waits L"), "DEADLOCK certain, never, for 10.0 s | a>L");
}

TEST(Deadlock, ThroughAJoin) {
  EXPECT_EQ(Findings(R"(
    main: holds L, joins worker
    worker: waits L
  )"),
            "DEADLOCK certain, never, for 10.0 s | main>exit-of-worker worker>L");
}

TEST(Deadlock, AcrossProcesses) {
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M public
    process other
    b: holds M, waits L public
  )"),
            "DEADLOCK certain, never, for 10.0 s | a>M b>L");
}

TEST(Deadlock, IsAsOldAsItsYoungestWait) {
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M 90s
    b: holds M, waits L 30s
  )"),
            "DEADLOCK certain, never, for 30.0 s | a>M b>L");
}

TEST(Deadlock, NotWhereSomebodyOfTheChainRuns) {
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M 500ms
    b: holds M, waits N 500ms
    c: holds N, runs
  )"),
            "");
}

TEST(Deadlock, CountsThoseBehindItHoweverFar) {
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M
    b: holds M, waits L
    c: holds N, waits L
    d: holds O, waits N
    e: waits O probable once
    f: waits O timed
    main: joins d
    bystander: waits P 500ms
  )"),
            "DEADLOCK certain, never, for 10.0 s | a>M b>L | behind c d e f main");
}

TEST(Deadlock, TwoSeparateRingsAreTwo) {
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M
    b: holds M, waits L
    c: holds N, waits O
    d: holds O, waits N
    e: waits O
  )"),
            "DEADLOCK certain, never, for 10.0 s | c>O d>N | behind e\n"
            "DEADLOCK certain, never, for 10.0 s | a>M b>L");
}

TEST(Deadlock, TwoCyclesThatShareAnActorAreOneKnot) {
  EXPECT_EQ(Findings(R"(
    lock both: all
    parent: holds L, holds M, waits both
    a: holds both, waits L
    b: holds both, waits M
  )"),
            "DEADLOCK certain, never, for 10.0 s | parent>both a>L | with b");
}

TEST(Deadlock, ARingThatWaitsForAllOfAnotherIsItsOwn) {
  EXPECT_EQ(Findings(R"(
    lock all: all
    a: holds L, waits all
    b: holds all, waits L
    c: holds all, holds N, waits O
    d: holds O, waits N
  )"),
            "DEADLOCK certain, never, for 10.0 s | a>all b>L\n"
            "DEADLOCK certain, never, for 10.0 s | c>O d>N");
}

TEST(Deadlock, AProbableRingThatWaitsForACertainOneIsItsOwn) {
  EXPECT_EQ(Findings(R"(
    lock all: all
    a: holds L, waits all
    b: holds all, waits L probable
    c: holds all, holds N, waits O
    d: holds O, waits N
  )"),
            "DEADLOCK certain, never, for 10.0 s | c>O d>N\n"
            "PROBABLE_DEADLOCK probable, never, for 10.0 s | a>all b>L");
}

// What a stopped member waits for does not come by continuing it.
TEST(Deadlock, HeldBackMembersAreNoWayOut) {
  for (const char* state : {"stopped", "traced", "frozen", "throttled"}) {
    EXPECT_EQ(Findings("a: holds L, waits M\nb: holds M, waits L, " + std::string(state)),
              "DEADLOCK certain, never, for 10.0 s | a>M b>L")
        << state;
  }
}

// It goes on once it is continued: it is the root of a long wait.
TEST(Deadlock, NotWhereTheHolderIsOnlyHeldBack) {
  for (const char* state : {"stopped", "traced", "frozen", "throttled"}) {
    EXPECT_EQ(Findings("a: waits L\nb: holds L, " + std::string(state)),
              "LONG_WAIT certain, may end, for 10.0 s | a wait | a>L | root b")
        << state;
  }
}

// --- Continuity: what must not have moved between the two looks.

TEST(DeadlockContinuity, OneStillActorProvesTheRing) {
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M still
    b: holds M, waits N continued
    c: holds N, waits L continued, runnable
  )"),
            "DEADLOCK certain, never, for 10.0 s | a>M b>N c>L");
}

TEST(DeadlockContinuity, NobodyStillAccusesNobody) {
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M 500ms continued
    b: holds M, waits L 500ms continued
  )"),
            "");
}

// Two threads that block each other again and again.
TEST(DeadlockContinuity, AnEdgeSeenOnceAccusesNobody) {
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M 500ms
    b: holds M, waits L 500ms once
  )"),
            "");
}

TEST(DeadlockContinuity, AStillWaitOfARunningThreadIsNotBelieved) {
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M 500ms
    b: holds M, waits L 500ms, runs
  )"),
            "");
}

// --- Evidence.

TEST(DeadlockEvidence, AProbableWaitMakesItProbable) {
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M
    b: holds M, waits L probable
  )"),
            "PROBABLE_DEADLOCK probable, never, for 10.0 s | a>M b>L");
}

TEST(DeadlockEvidence, AProbableHoldMakesItProbable) {
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M
    b: holds M probable, waits L
  )"),
            "PROBABLE_DEADLOCK probable, never, for 10.0 s | a>M b>L");
}

// A profiler's signal has woken both, and the CPU is busy: neither has run, so neither has let go.
TEST(DeadlockEvidence, OneThatDidNotRunProvesTheRing) {
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M continued, runnable
    b: holds M, waits L woken, runnable
  )"),
            "DEADLOCK certain, never, for 10.0 s | a>M b>L");
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M 500ms continued, runnable
    b: holds M, waits L 500ms continued, runnable
  )"),
            "");
}

TEST(DeadlockEvidence, ProbableRingsMustBeAllStill) {
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M 500ms
    b: holds M, waits L 500ms probable continued
  )"),
            "");
}

TEST(DeadlockEvidence, UnknownEdgesAccuseNobody) {
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M 500ms
    b: holds M, waits L 500ms doubtful
  )"),
            "");
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M 500ms
    b: holds M doubtful, waits L 500ms
  )"),
            "");
}

TEST(DeadlockEvidence, AnUnknownHolderIsAWayOut) {
  EXPECT_EQ(Findings(R"(
    lock M: unknown
    a: holds L, waits M 500ms
    b: holds M, waits L 500ms
  )"),
            "");
}

TEST(DeadlockEvidence, ACertainRingIsNotToldAgainWithItsProbableEdges) {
  EXPECT_EQ(Findings(R"(
    lock all: all
    a: holds L, waits all
    b: holds all, waits L
    c: holds all probable, waits L
  )"),
            "DEADLOCK certain, never, for 10.0 s | a>all b>L | behind c");
}

// --- Counted resources, all of, any of.

TEST(DeadlockCounted, OneFreeHolderIsEnoughToGoOn) {
  EXPECT_EQ(Findings(R"(
    lock pool: pool capacity=3
    a: holds pool, waits pool 500ms
    b: holds pool, waits pool 500ms
    c: holds pool, runs
  )"),
            "");
}

TEST(DeadlockCounted, AllHoldersWaitingIsAKnot) {
  EXPECT_EQ(Findings(R"(
    lock pool: pool capacity=2
    a: holds pool, waits pool
    b: holds pool, waits pool
    c: waits pool
  )"),
            "PROBABLE_DEADLOCK probable, never, for 10.0 s | a>pool | with b | behind c");
}

TEST(DeadlockCounted, APoolWhoseUnitsAreAllAccountedForIsCertain) {
  EXPECT_EQ(Findings(R"(
    lock pool: pool capacity=2 in_use=2
    a: holds pool, waits pool
    b: holds pool, waits pool
    c: waits pool
  )"),
            "DEADLOCK certain, never, for 10.0 s | a>pool | with b | behind c");
}

TEST(DeadlockCounted, APoolWithAUnitThatIsHeldByNobodyKnownIsNot) {
  EXPECT_EQ(Findings(R"(
    lock pool: pool capacity=2 in_use=2
    a: holds pool, waits pool 500ms
    b: waits pool 500ms
  )")
                .find("DEADLOCK certain"),
            std::string::npos);
}

TEST(DeadlockCounted, APoolMustBeSeenWhole) {
  EXPECT_EQ(Findings(R"(
    lock pool: pool capacity=2 in_use=2
    a: holds pool, waits pool 500ms
    b: holds pool, waits pool 500ms continued
  )"),
            "");
}

TEST(DeadlockCounted, MustBeAllStill) {
  EXPECT_EQ(Findings(R"(
    lock pool: pool capacity=2
    a: holds pool, waits pool 500ms
    b: holds pool, waits pool 500ms continued
  )"),
            "");
}

TEST(DeadlockCounted, ReadersBehindTheirWriter) {
  EXPECT_EQ(Findings(R"(
    lock rw: rwlock all
    writer: holds L, waits rw
    reader1: holds rw shared, waits L
    reader2: holds rw shared, runs
  )"),
            "DEADLOCK certain, never, for 10.0 s | writer>rw reader1>L");
}

TEST(DeadlockCounted, AnyOfSeveralIsAWayOut) {
  EXPECT_EQ(Findings(R"(
    lock first: pool
    parent: holds L, waits first 500ms
    a: holds first, waits L 500ms
    b: holds first, runs
  )"),
            "");
}

// The ring can be resolved on its own, and then they go on: they are behind it, not beside it.
TEST(DeadlockCounted, APoolWithAHolderInADeadlockIsBehindIt) {
  EXPECT_EQ(Findings(R"(
    lock pool: pool capacity=2
    a: holds L, waits M
    b: holds M, holds pool, waits L
    c: holds pool, waits pool
    d: waits pool
  )"),
            "DEADLOCK certain, never, for 10.0 s | a>M b>L | behind c d");
}

// --- Timeouts.

TEST(DeadlockTimed, EndsByItsEarliestTimeout) {
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M timed=30s
    b: holds M, waits N timed=20s
    c: holds N, waits L
  )"),
            "DEADLOCK certain, timeout in 20.0 s, for 10.0 s | a>M b>N c>L");
}

TEST(DeadlockTimed, WithADeadlineThatCouldNotBeRead) {
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M timed
    b: holds M, waits L
  )"),
            "DEADLOCK certain, timeout, for 10.0 s | a>M b>L");
}

TEST(DeadlockTimed, NeverIfTheOthersAreStuckWithoutIt) {
  EXPECT_EQ(Findings(R"(
    lock all: all
    a: holds L, waits all
    b: holds all, waits L timed=20s
    c: holds all, waits L
  )"),
            "DEADLOCK certain, never, for 10.0 s | a>all c>L | behind b");
}

// Try, give up, try again is how some programs avoid deadlocks.
TEST(DeadlockTimed, ShortTimeoutsAreNotToldAtAll) {
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M timed=100ms 200ms
    b: holds M, waits L 200ms
  )"),
            "");
}

TEST(DeadlockTimed, ATimedWaitThatMayBeTwoIsAWayOut) {
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M 500ms timed=30s continued
    b: holds M, waits L 500ms
  )"),
            "");
}

}  // namespace
}  // namespace ct
