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
