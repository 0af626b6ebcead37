// HOT_LOCK: a queue at a lock that moves. Not a fault of anybody's, and what makes it slow.
#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "detect/context.h"

namespace ct {

namespace {

struct Queue {
  std::vector<ActorIndex> waiters;
  std::size_t moved = 0;  // of them, not the same sleep at both looks
  Evidence evidence = Evidence::kCertain;
};

Queue QueueAt(const DetectContext& context, ResourceIndex resource) {
  const WaitGraph& graph = context.graph;
  Queue queue;
  for (const WaitIndex index : graph.WaitersOf(resource)) {
    const Wait& wait = graph.wait(index);
    if (wait.purpose != WaitPurpose::kAcquire || wait.evidence == Evidence::kUnknown) continue;
    if (context.IsExplained(wait.actor)) continue;
    queue.waiters.push_back(wait.actor);
    if (wait.continuity != Continuity::kStill) ++queue.moved;
    queue.evidence = std::min(queue.evidence, wait.evidence);
  }
  return queue;
}

// The one who has it now, where that is one and known.
ActorIndex HolderOf(const WaitGraph& graph, ResourceIndex resource) {
  const auto holds = graph.HoldersOf(resource);
  if (holds.size() != 1 || graph.hold(holds.front()).evidence == Evidence::kUnknown) {
    return kNoIndex;
  }
  return graph.hold(holds.front()).actor;
}

// True for a holder that works while others wait: the lock is what they all queue for.
bool HolderRuns(const WaitGraph& graph, ResourceIndex resource) {
  const ActorIndex holder = HolderOf(graph, resource);
  if (holder == kNoIndex) return false;
  const RunState state = graph.observation().actors[static_cast<std::size_t>(holder)].state;
  return state == RunState::kRunning || state == RunState::kRunnable;
}

// A queue that merely grows behind a sleeping holder is still. In one that moves, somebody has: a
// fair queue of thirty lets only a few pass within a look, and none if its holder runs right now.
bool IsHot(const DetectContext& context, ResourceIndex resource, const Queue& queue) {
  return queue.waiters.size() >= std::max(1U, context.options.hot_lock_waiters) &&
         (queue.moved > 0 || HolderRuns(context.graph, resource));
}

// The queue has been this long since the wait that made it so began.
TimeNs HotSince(const DetectContext& context, const Queue& queue) {
  std::vector<TimeNs> since;
  for (const ActorIndex actor : queue.waiters) {
    since.push_back(context.graph.wait(context.graph.WaitOf(actor)).since);
  }
  const auto nth =
      since.begin() + std::max<std::ptrdiff_t>(1, context.options.hot_lock_waiters) - 1;
  std::nth_element(since.begin(), nth, since.end());
  return *nth;
}

Finding Write(const DetectContext& context, ResourceIndex resource, Queue queue) {
  Finding finding;
  finding.kind = FindingKind::kHotLock;
  finding.evidence = queue.evidence;
  finding.ending = Ending::kMayEnd;
  finding.since = HotSince(context, queue);
  finding.proof = {fmt::format("{} wait for {}; {}", queue.waiters.size(),
                               context.describe.Resource(resource),
                               queue.moved > 0
                                   ? fmt::format("{} of them not since the look before", queue.moved)
                                   : "its holder runs")};
  finding.members = std::move(queue.waiters);
  std::sort(finding.members.begin(), finding.members.end());
  finding.resources = {resource};
  finding.root = HolderOf(context.graph, resource);
  return finding;
}

}  // namespace

std::vector<Finding> DetectHotLocks(DetectContext& context) {
  std::vector<Finding> found;
  for (std::size_t i = 0; i < context.graph.resource_count(); ++i) {
    const auto resource = static_cast<ResourceIndex>(i);
    Queue queue = QueueAt(context, resource);
    if (IsHot(context, resource, queue)) found.push_back(Write(context, resource, std::move(queue)));
  }
  return found;
}

}  // namespace ct
