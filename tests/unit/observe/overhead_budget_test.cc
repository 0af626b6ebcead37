#include "observe/overhead_budget.h"

#include <gtest/gtest.h>

namespace ct {
namespace {

constexpr double kOnePercent = 0.01;
constexpr std::uint32_t kCpus = 4;
constexpr DurationNs kWindow = 100 * kMillisecond;
// One percent of 4 CPUs over 100 ms.
constexpr DurationNs kAllowed = 4 * kMillisecond;
constexpr bool kFiltered = true;

OverheadBudget Budget(bool filtered = false) { return {kOnePercent, kCpus, 0, filtered}; }

TEST(OverheadBudget, SeesEverythingWithinIt) {
  OverheadBudget budget = Budget();
  for (const DurationNs spent : {DurationNs{0}, kAllowed / 2, kAllowed}) {
    EXPECT_EQ(budget.Note({1'000, spent, 0}, kWindow), WaitDetail::kEverything);
  }
  EXPECT_EQ(budget.detail(), WaitDetail::kEverything);
  EXPECT_FALSE(budget.exceeded());
}

TEST(OverheadBudget, CountsWhatOtherCallsTakeLonger) {
  OverheadBudget budget = Budget();
  EXPECT_EQ(budget.Note({0, kAllowed / 2, kAllowed / 2}, kWindow), WaitDetail::kEverything);
  EXPECT_EQ(budget.Note({0, kAllowed / 2, kAllowed}, kWindow), WaitDetail::kStatistics);
}

TEST(OverheadBudget, KeepsRecordsWhereGivingThemUpCannotBeEnough) {
  OverheadBudget host = Budget();
  EXPECT_EQ(host.Note({0, 0, 2 * kAllowed}, kWindow), WaitDetail::kNothing);
  OverheadBudget filtered = Budget(kFiltered);
  EXPECT_EQ(filtered.Note({0, 0, 2 * kAllowed}, kWindow), WaitDetail::kEverything);
  EXPECT_TRUE(filtered.exceeded());
}

TEST(OverheadBudget, GivesUpOneStepACall) {
  OverheadBudget budget = Budget();
  const ProgramCost ruinous{0, 50 * kAllowed, 0};
  EXPECT_EQ(budget.Note(ruinous, kWindow), WaitDetail::kStatistics);
  EXPECT_FALSE(budget.exceeded());
  EXPECT_EQ(budget.Note(ruinous, kWindow), WaitDetail::kNothing);
  EXPECT_FALSE(budget.exceeded());
  EXPECT_EQ(budget.detail(), WaitDetail::kNothing);
}

TEST(OverheadBudget, StaysWhereItIsOnceItIsKept) {
  OverheadBudget budget = Budget();
  EXPECT_EQ(budget.Note({0, 2 * kAllowed, 0}, kWindow), WaitDetail::kStatistics);
  EXPECT_EQ(budget.Note({0, kAllowed, 0}, kWindow), WaitDetail::kStatistics);
  EXPECT_EQ(budget.Note({0, 0, 0}, kWindow), WaitDetail::kStatistics);
  EXPECT_EQ(budget.Note({0, 2 * kAllowed, 0}, kWindow), WaitDetail::kNothing);
}

TEST(OverheadBudget, GoesOnCountingProcessesThatWereAskedFor) {
  OverheadBudget budget = Budget(kFiltered);
  EXPECT_EQ(budget.Note({0, 2 * kAllowed, 0}, kWindow), WaitDetail::kStatistics);
  EXPECT_FALSE(budget.exceeded());
  EXPECT_EQ(budget.Note({0, kAllowed, 0}, kWindow), WaitDetail::kStatistics);
  EXPECT_FALSE(budget.exceeded());
  EXPECT_EQ(budget.Note({0, 2 * kAllowed, 0}, kWindow), WaitDetail::kStatistics);
  EXPECT_TRUE(budget.exceeded());
}

TEST(OverheadBudget, IsExceededWhereNothingIsLeftToGiveUp) {
  OverheadBudget budget = Budget();
  for (int i = 0; i < 2; ++i) budget.Note({0, 2 * kAllowed, 0}, kWindow);
  EXPECT_EQ(budget.Note({0, 2 * kAllowed, 0}, kWindow), WaitDetail::kNothing);
  EXPECT_TRUE(budget.exceeded());
}

TEST(OverheadBudget, CountsWhatCallingAProgramCosts) {
  OverheadBudget budget(kOnePercent, kCpus, 100, false);
  // 40,000 runs of 100 ns each are all that is allowed.
  EXPECT_EQ(budget.Note({40'000, 0, 0}, kWindow), WaitDetail::kEverything);
  EXPECT_DOUBLE_EQ(budget.last(), 0.01);
  EXPECT_EQ(budget.Note({30'000, kAllowed / 2, 0}, kWindow), WaitDetail::kStatistics);
  EXPECT_DOUBLE_EQ(budget.last(), 0.0125);
}

TEST(OverheadBudget, IsAShareOfAllCpus) {
  OverheadBudget one(kOnePercent, 1, 0, false);
  EXPECT_EQ(one.Note({0, kAllowed, 0}, kWindow), WaitDetail::kStatistics);
  EXPECT_DOUBLE_EQ(one.last(), 0.04);
  OverheadBudget eight(kOnePercent, 8, 0, false);
  EXPECT_EQ(eight.Note({0, 2 * kAllowed, 0}, kWindow), WaitDetail::kEverything);
  EXPECT_DOUBLE_EQ(eight.last(), 0.01);
}

TEST(OverheadBudget, RemembersTheLastAndTheWorstWindow) {
  OverheadBudget budget = Budget();
  EXPECT_EQ(budget.last(), 0);
  EXPECT_EQ(budget.worst(), 0);
  budget.Note({0, kAllowed / 4, 0}, kWindow);
  budget.Note({0, 2 * kAllowed, 0}, kWindow);
  budget.Note({0, kAllowed / 2, 0}, kWindow);
  EXPECT_DOUBLE_EQ(budget.last(), 0.005);
  EXPECT_DOUBLE_EQ(budget.worst(), 0.02);
}

TEST(OverheadBudget, SurvivesAWindowAndAHostThatCannotBe) {
  OverheadBudget budget(kOnePercent, 0, 0, false);
  EXPECT_EQ(budget.Note({0, 0}, 0), WaitDetail::kEverything);
  EXPECT_EQ(budget.Note({0, 1}, -5), WaitDetail::kStatistics);
  EXPECT_DOUBLE_EQ(budget.last(), 1);
}

}  // namespace
}  // namespace ct
