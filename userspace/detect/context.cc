#include "detect/context.h"

#include <algorithm>
#include <limits>
#include <unordered_set>

namespace ct {

DetectContext::DetectContext(const Observation& observation, const DetectOptions& detect_options)
    : graph(observation),
      options(detect_options),
      describe(graph),
      stuck(graph, StuckRules::Likely().WithTimed()),
      spread(graph),
      explained_(observation.actors.size(), false),
      deadlocked_(observation.resources.size(), false) {}

void DetectContext::Explain(const Finding& finding) {
  for (const auto* actors : {&finding.members, &finding.blocked_behind}) {
    for (const ActorIndex actor : *actors) explained_[static_cast<std::size_t>(actor)] = true;
  }
  const bool deadlock =
      finding.kind == FindingKind::kDeadlock || finding.kind == FindingKind::kProbableDeadlock;
  const bool of_all_holders = deadlock || finding.kind == FindingKind::kPoolExhausted ||
                              finding.kind == FindingKind::kPoolLeak;
  for (const ResourceIndex resource : finding.resources) {
    if (deadlock) deadlocked_[static_cast<std::size_t>(resource)] = true;
    if (of_all_holders) told_holds_.emplace(resource, kNoIndex);
    // How long each has a hot lock is not told by it.
    const bool names_holder = finding.root != kNoIndex && finding.kind != FindingKind::kHotLock;
    if (names_holder) told_holds_.emplace(resource, finding.root);
  }
}

std::vector<ResourceIndex> DetectContext::ResourcesOf(
    const std::vector<ActorIndex>& members) const {
  std::vector<ResourceIndex> resources;
  std::unordered_set<ResourceIndex> seen;
  for (const ActorIndex actor : members) {
    const ResourceIndex resource = graph.wait(graph.WaitOf(actor)).resource;
    if (seen.insert(resource).second) resources.push_back(resource);
  }
  return resources;
}

TimeNs DetectContext::OldestWait(const std::vector<ActorIndex>& members) const {
  TimeNs oldest = std::numeric_limits<TimeNs>::max();
  for (const ActorIndex actor : members) {
    oldest = std::min(oldest, graph.wait(graph.WaitOf(actor)).since);
  }
  return oldest;
}

TimeNs DetectContext::YoungestWait(const std::vector<ActorIndex>& members) const {
  TimeNs youngest = std::numeric_limits<TimeNs>::min();
  for (const ActorIndex actor : members) {
    youngest = std::max(youngest, graph.wait(graph.WaitOf(actor)).since);
  }
  return youngest;
}

}  // namespace ct
