// HOT_LOCK: a queue at a lock that moves. Not a fault of anybody's, and what makes it slow.
#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "detect/context.h"

namespace ct {

namespace {

struct Queue {
  std::vector<ActorIndex> waiters;
  std::size_t moved = 0;  // of them, not the same sleep at both looks
  Evidence evidence = Evidence::kCertain;
};

// A semaphore that lets some tasks through at a time is there to have a queue.
bool IsLimit(const WaitGraph& graph, const Wait& wait) {
  return graph.actor(wait.actor).kind == ActorKind::kTask &&
         graph.resource(wait.resource).kind == ResourceKind::kSemaphore;
}

Queue QueueAt(const DetectContext& context, ResourceIndex resource) {
  const WaitGraph& graph = context.graph;
  Queue queue;
  for (const WaitIndex index : graph.WaitersOf(resource)) {
    const Wait& wait = graph.wait(index);
    if (wait.purpose != WaitPurpose::kAcquire || wait.evidence == Evidence::kUnknown) continue;
    if (context.IsExplained(wait.actor) || IsLimit(graph, wait)) continue;
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

// How we know that the queue moves, a phrase; empty if it may as well grow behind a sleeping
// holder. In a fair queue of thirty only a few pass within a look, and none while the holder works.
std::string Movement(const DetectContext& context, ResourceIndex resource, const Queue& queue) {
  if (queue.moved > 0) return fmt::format("{} of them not since the look before", queue.moved);
  const Observation& observation = context.observation();
  if (observation.resources[static_cast<std::size_t>(resource)].changed_hands) {
    return "it changed hands meanwhile";
  }
  const ActorIndex holder = HolderOf(context.graph, resource);
  if (holder == kNoIndex) return {};
  const Actor& actor = observation.actors[static_cast<std::size_t>(holder)];
  if (actor.state == RunState::kRunning || actor.state == RunState::kRunnable) {
    return "its holder runs";
  }
  return actor.off_cpu_since > HotSince(context, queue) ? "its holder has run since" : "";
}

Finding Write(const DetectContext& context, ResourceIndex resource, Queue queue,
              const std::string& movement) {
  Finding finding;
  finding.kind = FindingKind::kHotLock;
  finding.evidence = queue.evidence;
  finding.ending = Ending::kMayEnd;
  finding.since = HotSince(context, queue);
  finding.proof = {fmt::format("{} wait for {}; {}", queue.waiters.size(),
                               context.describe.Resource(resource), movement)};
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
    if (queue.waiters.size() < std::max(1U, context.options.hot_lock_waiters)) continue;
    const std::string movement = Movement(context, resource, queue);
    if (movement.empty()) continue;
    found.push_back(Write(context, resource, std::move(queue), movement));
  }
  return found;
}

}  // namespace ct
