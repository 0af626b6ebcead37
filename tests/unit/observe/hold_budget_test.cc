// What following holds may cost, and what comes off.
#include "observe/hold_budget.h"

#include <gtest/gtest.h>

namespace ct {
namespace {

constexpr TimeNs kStart = 100 * kSecond;

TEST(CostOfHits, IsByTheKindOfInstruction) {
  const HoldCosts costs{500, 20'000};
  HoldProbe probe;
  probe.site.emulated = true;
  EXPECT_EQ(CostOf(costs, probe, {10, 0}), 5'000);
  EXPECT_EQ(CostOf(costs, probe, {10, 2}), 45'000) << "returns are single-stepped";
  probe.site.emulated = false;
  EXPECT_EQ(CostOf(costs, probe, {10, 0}), 200'000);
}

TEST(HoldBudget, AHotLockComesOffWithinMilliseconds) {
  HoldBudget budget(0.02);
  EXPECT_FALSE(budget.Check(kStart, 0, {{"mutex", 0, 0}}));
  // Two CPUs for 2 ms, all of it in probes.
  const auto over = budget.Check(kStart + 2 * kMillisecond, 4 * kMillisecond,
                                 {{"mutex", 8000, 4 * kMillisecond}});
  ASSERT_TRUE(over);
  EXPECT_EQ(over->family, "mutex");
  EXPECT_DOUBLE_EQ(over->calls_a_second, 4e6);
  EXPECT_GT(over->share, 0.9);
}

TEST(HoldBudget, AShortBurstIsNoReason) {
  HoldBudget budget(0.02);
  EXPECT_FALSE(budget.Check(kStart, 0, {{"mutex", 0, 0}}));
  // 5 % for 2 ms, and 1 % on the whole.
  EXPECT_FALSE(budget.Check(kStart + 2 * kMillisecond, 2 * kMillisecond,
                            {{"mutex", 200, 100 * kMicrosecond}}));
  EXPECT_FALSE(budget.Check(kStart + 10 * kMillisecond, 10 * kMillisecond,
                            {{"mutex", 200, 100 * kMicrosecond}}));
}

TEST(HoldBudget, TheDearestComesOffFirst) {
  HoldBudget budget(0.02);
  EXPECT_FALSE(budget.Check(kStart, 0, {}));
  const auto over =
      budget.Check(kStart + 200 * kMillisecond, 200 * kMillisecond,
                   {{"mutex", 10'000, 5 * kMillisecond}, {"pool", 500, 10 * kMillisecond}});
  ASSERT_TRUE(over);
  EXPECT_EQ(over->family, "pool");
  EXPECT_NEAR(over->share, 0.075, 0.0001);
  // What is left is looked at over the same window.
  const auto next = budget.Check(kStart + 200 * kMillisecond, 200 * kMillisecond,
                                 {{"mutex", 10'000, 5 * kMillisecond}});
  ASSERT_TRUE(next);
  EXPECT_EQ(next->family, "mutex");
}

TEST(HoldBudget, AProcessThatHardlyRunsMayHaveItsLocksFollowed) {
  HoldBudget budget(0.02);
  EXPECT_FALSE(budget.Check(kStart, 0, {}));
  // A third of what it does in a second is probes, and that is 1 ms.
  EXPECT_FALSE(budget.Check(kStart + kSecond, 3 * kMillisecond, {{"mutex", 2000, kMillisecond}}));
}

TEST(HoldBudget, AFewCallsOfAnIdleProcessAreNoReason) {
  HoldBudget budget(0.02);
  EXPECT_FALSE(budget.Check(kStart, 0, {{"mutex", 0, 0}}));
  EXPECT_FALSE(
      budget.Check(kStart + 20 * kMillisecond, kMillisecond, {{"mutex", 20, 400 * kMicrosecond}}));
}

TEST(HoldBudget, OnlyWhatCameSinceTheLastWindowCounts) {
  HoldBudget budget(0.02);
  EXPECT_FALSE(budget.Check(kStart, 0, {{"mutex", 0, 0}}));
  EXPECT_FALSE(budget.Check(kStart + kSecond, kSecond, {{"mutex", 20'000, 10 * kMillisecond}}));
  const auto over =
      budget.Check(kStart + kSecond + 200 * kMillisecond, kSecond + 200 * kMillisecond,
                   {{"mutex", 80'000, 40 * kMillisecond}});
  ASSERT_TRUE(over);
  EXPECT_NEAR(over->share, 0.15, 0.0001);
}

}  // namespace
}  // namespace ct
