#include "detect/detect.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "detect/context.h"

namespace ct {

namespace {

using Detector = std::vector<Finding> (*)(DetectContext&);
constexpr Detector kDetectors[] = {DetectDeadlocks, DetectAbandonedLocks, DetectClosedWorlds,
                                   DetectLongWaits, DetectHotLocks,       DetectBlockedLoops};

bool ComesFirst(const Finding& a, const Finding& b) {
  const auto rank = [](const Finding& finding) {
    return std::tuple(finding.kind, -static_cast<std::ptrdiff_t>(BlockedActors(finding)),
                      finding.since, finding.members.empty() ? kNoIndex : finding.members.front());
  };
  return rank(a) < rank(b);
}

bool IsSelected(const Observation& observation, ActorIndex index) {
  const ProcessIndex process = observation.actors[static_cast<std::size_t>(index)].process;
  if (process < 0 || static_cast<std::size_t>(process) >= observation.processes.size())
    return false;
  return observation.processes[static_cast<std::size_t>(process)].selected;
}

// Calls `predicate` for every actor of the finding until one says true.
template <class Predicate>
bool AnyActor(const Finding& finding, Predicate predicate) {
  return std::any_of(finding.members.begin(), finding.members.end(), predicate) ||
         std::any_of(finding.blocked_behind.begin(), finding.blocked_behind.end(), predicate) ||
         (finding.root != kNoIndex && predicate(finding.root));
}

}  // namespace

std::vector<Finding> Detect(const Observation& observation, const DetectOptions& options) {
  DetectContext context(observation, options);
  std::vector<Finding> all;
  for (const Detector detector : kDetectors) {
    std::vector<Finding> found = detector(context);
    for (const Finding& finding : found) context.Explain(finding);
    std::move(found.begin(), found.end(), std::back_inserter(all));
  }
  if (!observation.filter.empty()) {
    std::erase_if(all, [&](const Finding& finding) {
      return !AnyActor(finding, [&](ActorIndex actor) { return IsSelected(observation, actor); });
    });
  }
  std::stable_sort(all.begin(), all.end(), ComesFirst);
  return all;
}

std::size_t BlockedActors(const Finding& finding) {
  return finding.members.size() + finding.blocked_behind.size();
}

bool Concerns(const Finding& finding, const Observation& observation, ProcessIndex process) {
  return AnyActor(finding, [&](ActorIndex actor) {
    return observation.actors[static_cast<std::size_t>(actor)].process == process;
  });
}

bool IsHang(FindingKind kind) {
  return kind == FindingKind::kDeadlock || kind == FindingKind::kProbableDeadlock ||
         kind == FindingKind::kAbandonedLock;
}

}  // namespace ct
