// ABANDONED_LOCK: waiters for a lock whose owner is not there any more.
#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "detect/context.h"

namespace ct {

namespace {

// The kernel hands a robust mutex on when its owner ends (futex robust list); to one that was
// merely copied by fork it does nothing.
bool IsHandedOn(const Resource& resource) {
  return resource.abandoned != Abandoned::kInheritedOverFork &&
         resource.type.find("robust") != std::string::npos;
}

std::string Because(const Resource& resource) {
  switch (resource.abandoned) {
    case Abandoned::kNo:
    case Abandoned::kUnreferenced:
    case Abandoned::kOwnerExited:
      return fmt::format("thread {} ended without releasing it", resource.abandoned_by);
    case Abandoned::kInheritedOverFork:
      return fmt::format("thread {} of the parent held it when this process was forked",
                         resource.abandoned_by);
    case Abandoned::kTidReused:
      return fmt::format("thread {} ended without releasing it, and another has its number now",
                         resource.abandoned_by);
  }
  return "";
}

std::string Advice(const Resource& resource) {
  if (resource.abandoned == Abandoned::kInheritedOverFork) {
    return "Fork before starting threads, or call exec at once, or release in pthread_atfork";
  }
  return "Release it before the thread ends, or use a robust mutex";
}

// When all waits are timed the last of them ends it, if that is known.
void SetEnding(const DetectContext& context, Finding& finding) {
  finding.ending = Ending::kTimeout;
  finding.ends_at = 0;
  for (const ActorIndex actor : finding.members) {
    const Wait& wait = context.graph.wait(context.graph.WaitOf(actor));
    if (!wait.timed && !wait.deadline) {
      finding.ending = Ending::kNever;
      finding.ends_at.reset();
      return;
    }
    if (!wait.deadline) finding.ends_at.reset();
    if (finding.ends_at) finding.ends_at = std::max(*finding.ends_at, *wait.deadline);
  }
}

std::optional<Finding> Look(DetectContext& context, ResourceIndex index) {
  const WaitGraph& graph = context.graph;
  Finding finding;
  finding.kind = FindingKind::kAbandonedLock;
  finding.evidence = Evidence::kUnknown;
  for (const WaitIndex waiter : graph.WaitersOf(index)) {
    const Wait& wait = graph.wait(waiter);
    if (context.IsExplained(wait.actor) || wait.evidence == Evidence::kUnknown) continue;
    if (HasLeftWait(graph.actor(wait.actor), wait)) continue;
    finding.members.push_back(wait.actor);
    // A lock seen once without its owner may just have changed hands.
    if (wait.continuity == Continuity::kSeenOnce) continue;
    finding.evidence = std::max(finding.evidence, wait.evidence);
  }
  if (finding.evidence == Evidence::kUnknown) return std::nullopt;
  std::sort(finding.members.begin(), finding.members.end());
  finding.resources = {index};
  finding.since = context.OldestWait(finding.members);
  SetEnding(context, finding);
  const Resource& resource = graph.resource(index);
  if (IsHandedOn(resource)) finding.ending = Ending::kMayEnd;
  finding.proof = {
      fmt::format("{} is locked: {}", context.describe.Resource(index), Because(resource)),
      fmt::format("{} waits for it at both looks",
                  context.describe.Actor(finding.members.front()))};
  finding.advice = Advice(resource);
  finding.blocked_behind =
      context.spread.Behind(finding.members, &context.stuck, context.explained());
  return finding;
}

}  // namespace

std::vector<Finding> DetectAbandonedLocks(DetectContext& context) {
  std::vector<Finding> found;
  for (std::size_t i = 0; i < context.graph.resource_count(); ++i) {
    const auto resource = static_cast<ResourceIndex>(i);
    const Abandoned abandoned = context.graph.resource(resource).abandoned;
    if (abandoned == Abandoned::kNo || abandoned == Abandoned::kUnreferenced) continue;
    std::optional<Finding> finding = Look(context, resource);
    if (!finding) continue;
    context.Explain(*finding);
    found.push_back(std::move(*finding));
  }
  return found;
}

}  // namespace ct
