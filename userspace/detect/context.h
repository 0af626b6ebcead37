// What the detectors share while they look at one Observation.
#pragma once

#include <set>
#include <utility>
#include <vector>

#include "detect/describe.h"
#include "detect/detect.h"
#include "graph/spread.h"
#include "graph/stuck_set.h"
#include "graph/wait_graph.h"

namespace ct {

class DetectContext {
 public:
  // `observation` must outlive it.
  DetectContext(const Observation& observation, const DetectOptions& options);

  const WaitGraph graph;
  const DetectOptions options;
  const Describe describe;
  // With every edge that is at least probable and every timed wait: who may be behind a hang.
  const StuckSet stuck;
  Spread spread;
  std::vector<Loss> undecided;  // what was too much to be decided

  [[nodiscard]] const Observation& observation() const { return graph.observation(); }
  [[nodiscard]] bool IsExplained(ActorIndex actor) const {
    return explained_[static_cast<std::size_t>(actor)];
  }
  // By actor: part of, or behind, a finding so far.
  [[nodiscard]] const std::vector<bool>& explained() const { return explained_; }

  // Marks the finding's members and those behind it as explained, and what it tells of resources.
  void Explain(const Finding& finding);

  // Part of a deadlock among the findings so far.
  [[nodiscard]] bool IsDeadlocked(ResourceIndex resource) const {
    return deadlocked_[static_cast<std::size_t>(resource)];
  }
  // A finding so far says that this actor has that resource and keeps others waiting.
  [[nodiscard]] bool IsToldToHold(ActorIndex actor, ResourceIndex resource) const {
    return told_holds_.contains({resource, actor}) || told_holds_.contains({resource, kNoIndex});
  }

  // What the members wait for, each once, in the members' order.
  [[nodiscard]] std::vector<ResourceIndex> ResourcesOf(
      const std::vector<ActorIndex>& members) const;
  // When the members' oldest, or youngest, wait began.
  [[nodiscard]] TimeNs OldestWait(const std::vector<ActorIndex>& members) const;
  [[nodiscard]] TimeNs YoungestWait(const std::vector<ActorIndex>& members) const;

 private:
  std::vector<bool> explained_;
  std::vector<bool> deadlocked_;                               // by resource
  std::set<std::pair<ResourceIndex, ActorIndex>> told_holds_;  // kNoIndex: by all of its holders
};

// The detectors, in the order in which they run. Each skips who is explained already.
std::vector<Finding> DetectDeadlocks(DetectContext& context);
std::vector<Finding> DetectAbandonedLocks(DetectContext& context);
std::vector<Finding> DetectClosedWorlds(DetectContext& context);
std::vector<Finding> DetectPoolLeaks(DetectContext& context);
std::vector<Finding> DetectExhaustedPools(DetectContext& context);
std::vector<Finding> DetectLongWaits(DetectContext& context);
std::vector<Finding> DetectLongHolds(DetectContext& context);
std::vector<Finding> DetectStuckTasks(DetectContext& context);
std::vector<Finding> DetectHotLocks(DetectContext& context);
std::vector<Finding> DetectSharedUses(DetectContext& context);
std::vector<Finding> DetectInversions(DetectContext& context);
std::vector<Finding> DetectSwallowedExceptions(DetectContext& context);
std::vector<Finding> DetectNeverAwaited(DetectContext& context);
std::vector<Finding> DetectBlockedLoops(DetectContext& context);
std::vector<Finding> DetectGilContention(DetectContext& context);

}  // namespace ct
