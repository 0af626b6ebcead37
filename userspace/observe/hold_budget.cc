#include "observe/hold_budget.h"

#include <algorithm>

namespace ct {
namespace {

FamilyCost Since(const FamilyCost& now, const std::vector<FamilyCost>& before) {
  FamilyCost since = now;
  for (const FamilyCost& family : before) {
    if (family.family != now.family) continue;
    since.calls -= std::min(since.calls, family.calls);
    since.cost -= std::min(since.cost, family.cost);
  }
  return since;
}

}  // namespace

DurationNs CostOf(const HoldCosts& costs, const HoldProbe& probe, const ProbeHits& hits) {
  const DurationNs entry = probe.site.emulated ? costs.emulated : costs.single_stepped;
  // Return instructions are always single-stepped.
  return static_cast<DurationNs>(hits.entries) * entry +
         static_cast<DurationNs>(hits.returns) * costs.single_stepped;
}

std::optional<OverBudget> HoldBudget::Check(TimeNs now, DurationNs cpu,
                                            const std::vector<FamilyCost>& families) {
  if (share_ >= 1) return std::nullopt;  // no budget was wanted
  if (begin_.at == 0) {
    begin_ = {now, cpu, families};
    return std::nullopt;
  }
  const DurationNs window = now - begin_.at;
  if (window <= 0) return std::nullopt;
  DurationNs cost = 0;
  std::optional<FamilyCost> dearest;
  for (const FamilyCost& family : families) {
    FamilyCost since = Since(family, begin_.families);
    cost += since.cost;
    if (!dearest || since.cost > dearest->cost) dearest = std::move(since);
  }
  // Over a window that has just begun: as if the process ran on as it does for the shortest.
  const auto scale = static_cast<double>(std::max(window, kShortest)) / static_cast<double>(window);
  const double used = std::max(static_cast<double>(cpu - begin_.cpu) * scale,
                               kLeastCpu * static_cast<double>(window) * scale);
  const bool over = dearest && cost >= kLeastCost && static_cast<double>(cost) > share_ * used;
  if (over) {
    OverBudget result;
    result.family = dearest->family;
    result.share = static_cast<double>(cost) * scale / used;
    result.calls_a_second = static_cast<double>(dearest->calls) * static_cast<double>(kSecond) /
                            static_cast<double>(window);
    return result;
  }
  if (window >= kWindow) begin_ = {now, cpu, families};
  return std::nullopt;
}

}  // namespace ct
