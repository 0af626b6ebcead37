// Pools that run out: who has their units does not give them back, or nobody has them.
#include <gtest/gtest.h>

#include "tests/unit/detect/findings.h"

namespace ct {
namespace {

using testing::Findings;

TEST(PoolExhausted, WhoHasTheUnitsIsBusy) {
  EXPECT_EQ(Findings(R"(
    lock pool: pool capacity=2 in_use=2
    a: holds pool, runs
    b: holds pool, runs
    c: waits pool 3s
    d: waits pool 300ms
  )"),
            "POOL_EXHAUSTED certain, may end, for 3.0 s | c wait");
}

TEST(PoolExhausted, TheRootThatAllHoldersWaitFor) {
  EXPECT_EQ(Findings(R"(
    lock pool: pool capacity=2 in_use=2
    a: holds pool, waits L 4s
    b: holds pool, waits L 4s
    c: waits pool 3s
    e: holds L, runs
  )"),
            "POOL_EXHAUSTED certain, may end, for 3.0 s | c wait | root e\n"
            "LONG_WAIT certain, may end, for 4.0 s | a b wait | a>L | root e");
}

TEST(PoolExhausted, IsProbableWhereAHolderIsNotKnown) {
  EXPECT_EQ(Findings(R"(
    lock pool: pool unknown capacity=2 in_use=2
    a: holds pool, runs
    c: waits pool 3s
  )"),
            "POOL_EXHAUSTED probable, may end, for 3.0 s | c wait");
}

TEST(PoolExhausted, NotWhereAUnitIsLeft) {
  EXPECT_EQ(Findings(R"(
    lock pool: pool unknown capacity=2 in_use=1
    a: holds pool, runs
    c: waits pool 300ms
  )"),
            "");
}

TEST(PoolExhausted, WhereNobodyKnowsHowManyThereMayBe) {
  EXPECT_EQ(Findings(R"(
    lock pool: pool in_use=1 idle=0
    a: holds pool, runs
    c: waits pool 3s
  )"),
            "POOL_EXHAUSTED probable, may end, for 3.0 s | c wait");
}

// --- units that acquires and releases told -------------------------------------------------------

TEST(PoolHolds, AllHoldersOfAPoolWaitForIt) {
  EXPECT_EQ(Findings(R"(
    lock pool: pool capacity=3 in_use=3 high_water=3
    a: holds pool, waits pool
    b: holds pool, waits pool
    c: holds pool, waits pool
    d: waits pool
  )"),
            "DEADLOCK certain, never, for 10.0 s | a>pool | with b c | behind d");
}

// Who else may have one is not known: nobody is accused of a deadlock.
TEST(PoolHolds, WithoutItsCapacityItIsExhausted) {
  const Observation observation = testing::Observe(R"(
    lock pool: pool unknown in_use=3 high_water=3
    a: holds pool, waits pool
    b: holds pool, waits pool
    c: holds pool, waits pool
  )");
  const std::vector<Finding> findings = Detect(observation);
  EXPECT_EQ(testing::Summary(findings, observation),
            "POOL_EXHAUSTED probable, may end, for 10.0 s | a b c wait");
  EXPECT_EQ(findings[0].proof,
            (std::vector<std::string>{"mutex pool: 3 of an unknown number of units in use",
                                      "capacity not known: most in use at a time was 3",
                                      "a (1000) has one and waits for mutex pool",
                                      "b (1001) has one and waits for mutex pool",
                                      "c (1002) has one and waits for mutex pool"}));
}

// Every acquire since the pool was made was seen.
TEST(PoolHolds, WithAllHoldersButNoCapacityADeadlockIsProbable) {
  const Observation observation = testing::Observe(R"(
    lock pool: pool in_use=3 high_water=3
    a: holds pool, waits pool
    b: holds pool, waits pool
    c: holds pool, waits pool
  )");
  const std::vector<Finding> findings = Detect(observation);
  EXPECT_EQ(testing::Summary(findings, observation),
            "PROBABLE_DEADLOCK probable, never, for 10.0 s | a>pool | with b c");
  EXPECT_EQ(findings[0].proof[findings[0].proof.size() - 2],
            "capacity not known: most in use at a time was 3");
}

TEST(PoolHolds, ABusyPoolIsSilent) {
  EXPECT_EQ(Findings(R"(
    lock pool: pool capacity=3 in_use=3 high_water=3
    a: holds pool, runs
    b: holds pool, waits pool once 20ms
    c: holds pool, runs
    d: waits pool continued 300ms
  )"),
            "");
  EXPECT_EQ(Findings(R"(
    lock pool: pool unknown in_use=2 high_water=3
    a: holds pool, runs
    b: holds pool, runs
    d: waits pool 3s
  )"),
            "LONG_WAIT certain, may end, for 3.0 s | d wait | d>pool | root a");
}

// One holder that can go on gives its unit back.
TEST(PoolHolds, NotWhereOneHolderGoesOn) {
  EXPECT_EQ(Findings(R"(
    lock pool: pool capacity=3 in_use=3
    a: holds pool, waits pool 3s
    b: holds pool, waits pool 3s
    c: holds pool, runs
  )"),
            "POOL_EXHAUSTED certain, may end, for 3.0 s | a b wait");
}

TEST(PoolHolds, ASemaphoreAsAPool) {
  EXPECT_EQ(Findings(R"(
    lock slots: semaphore capacity=2 in_use=2
    a: holds slots, waits slots
    b: holds slots, waits slots
  )"),
            "DEADLOCK certain, never, for 10.0 s | a>slots | with b");
  EXPECT_EQ(Findings(R"(
    lock slots: semaphore capacity=2 in_use=2
    a: holds slots, runs
    b: holds slots, runs
    c: waits slots 3s
  )"),
            "POOL_EXHAUSTED certain, may end, for 3.0 s | c wait");
  // A lock, a semaphore of one.
  EXPECT_EQ(Findings(R"(
    lock slot: semaphore capacity=1 in_use=1
    a: holds slot, waits L
    b: holds L, waits slot
  )"),
            "DEADLOCK certain, never, for 10.0 s | a>L b>slot");
}

TEST(PoolHolds, ASemaphoreAsASignal) {
  EXPECT_EQ(Findings(R"(
    lock work: semaphore unknown in_use=0 high_water=0
    a: waits work event
    b: waits work event
  )"),
            "");
}

TEST(PoolLeak, UnitsThatNobodyHas) {
  EXPECT_EQ(Findings(R"(
    lock pool: pool unknown capacity=2 in_use=2 lost=1
    a: holds pool, runs
    c: waits pool 300ms
  )"),
            "POOL_LEAK probable, may end, for 300 ms | c wait");
}

TEST(PoolLeak, NotWhileThePoolMoves) {
  EXPECT_EQ(Findings(R"(
    lock pool: pool unknown moves capacity=2 in_use=2 lost=1
    c: waits pool 300ms
  )"),
            "");
}

}  // namespace
}  // namespace ct
