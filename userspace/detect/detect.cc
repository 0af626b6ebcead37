#include "detect/detect.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "detect/context.h"

namespace ct {

namespace {

using Detector = std::vector<Finding> (*)(DetectContext&);
constexpr Detector kDetectors[] = {
    DetectDeadlocks,      DetectAbandonedLocks, DetectClosedWorlds, DetectPoolLeaks,
    DetectExhaustedPools, DetectLongWaits,      DetectLongHolds,    DetectStuckTasks,
    DetectHotLocks,       DetectSharedUses,     DetectInversions,   DetectSwallowedExceptions,
    DetectNeverAwaited,   DetectBlockedLoops,   DetectGilContention};

bool ComesFirst(const Finding& a, const Finding& b) {
  const auto rank = [](const Finding& finding) {
    return std::tuple(finding.kind, -static_cast<std::ptrdiff_t>(BlockedActors(finding)),
                      finding.since, finding.members.empty() ? kNoIndex : finding.members.front());
  };
  return rank(a) < rank(b);
}

bool IsSelected(const Observation& observation, ProcessIndex process) {
  if (process < 0 || static_cast<std::size_t>(process) >= observation.processes.size())
    return false;
  return observation.processes[static_cast<std::size_t>(process)].selected;
}

template <class Predicate>
bool AnyOrder(const Finding& finding, const Observation& observation, Predicate predicate) {
  const auto& orders = observation.hold_activity.orders;
  return std::any_of(finding.orders.begin(), finding.orders.end(), [&](const OrderStep& step) {
    return step.order != kNoIndex &&
           predicate(orders[static_cast<std::size_t>(step.order)].process);
  });
}

template <class Predicate>
bool AnyGil(const Finding& finding, const Observation& observation, Predicate predicate) {
  if (finding.kind != FindingKind::kGilContention) return false;
  const auto& gils = observation.contention.gils;
  return std::any_of(gils.begin(), gils.end(), [&](const GilContention& gil) {
    return finding.resources == std::vector{gil.resource} && predicate(gil.process);
  });
}

// Calls `predicate` for the process of everything in the finding until one says true.
template <class Predicate>
bool AnyProcess(const Finding& finding, const Observation& observation, Predicate predicate) {
  const auto any = [&](const auto& indices, const auto& rows) {
    return std::any_of(indices.begin(), indices.end(), [&](std::int32_t index) {
      return predicate(rows[static_cast<std::size_t>(index)].process);
    });
  };
  return any(finding.members, observation.actors) ||
         any(finding.blocked_behind, observation.actors) ||
         any(finding.exceptions, observation.swallowed_exceptions) ||
         any(finding.never_awaited, observation.never_awaited) ||
         any(finding.long_holds, observation.hold_activity.long_holds) ||
         AnyOrder(finding, observation, predicate) || AnyGil(finding, observation, predicate) ||
         (finding.root != kNoIndex &&
          predicate(observation.actors[static_cast<std::size_t>(finding.root)].process));
}

}  // namespace

std::vector<Finding> Detect(const Observation& observation, const DetectOptions& options,
                            std::vector<Loss>* undecided) {
  DetectContext context(observation, options);
  std::vector<Finding> all;
  for (const Detector detector : kDetectors) {
    std::vector<Finding> found = detector(context);
    for (const Finding& finding : found) context.Explain(finding);
    std::move(found.begin(), found.end(), std::back_inserter(all));
  }
  if (!observation.filter.empty()) {
    std::erase_if(all, [&](const Finding& finding) {
      return !AnyProcess(finding, observation,
                         [&](ProcessIndex process) { return IsSelected(observation, process); });
    });
  }
  std::stable_sort(all.begin(), all.end(), ComesFirst);
  if (undecided != nullptr) {
    undecided->insert(undecided->end(), context.undecided.begin(), context.undecided.end());
  }
  return all;
}

std::size_t BlockedActors(const Finding& finding) {
  return finding.members.size() + finding.blocked_behind.size();
}

bool Concerns(const Finding& finding, const Observation& observation, ProcessIndex process) {
  return AnyProcess(finding, observation, [&](ProcessIndex other) { return other == process; });
}

bool IsHang(FindingKind kind) {
  return kind == FindingKind::kDeadlock || kind == FindingKind::kProbableDeadlock ||
         kind == FindingKind::kAbandonedLock;
}

}  // namespace ct
