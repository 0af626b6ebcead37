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
      break;
    case Abandoned::kUnreferenced:
      return "nobody has it in a with block or between acquire() and release(), and nothing in the "
             "program releases it without having taken it first";
    case Abandoned::kOwnerExited:
      if (resource.abandoned_by == 0) return "the thread that took it has ended";
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
  if (resource.implementation == Implementation::kCpython) {
    return "Take it in a with block: a return or an exception after acquire() leaves it locked";
  }
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

// A task's future, of which this is told elsewhere, is no lock.
bool IsAbandoned(const WaitGraph& graph, ResourceIndex index) {
  const Resource& resource = graph.resource(index);
  if (resource.abandoned != Abandoned::kUnreferenced) return resource.abandoned != Abandoned::kNo;
  return resource.kind == ResourceKind::kMutex && graph.HoldersOf(index).empty();
}

// Of a lock that names nobody it takes somebody who has waited for it for long: it may have changed
// hands a moment ago.
bool IsOldEnough(const DetectContext& context, const Resource& resource, const Wait& wait) {
  if (resource.abandoned != Abandoned::kUnreferenced) return true;
  const TimeNs since = std::min(wait.since, wait.unmoved_since.value_or(wait.since));
  return context.observation().end - since >= context.options.long_wait;
}

std::optional<Finding> Look(DetectContext& context, ResourceIndex index) {
  const WaitGraph& graph = context.graph;
  const Resource& resource = graph.resource(index);
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
    if (!IsOldEnough(context, resource, wait)) continue;
    finding.evidence = std::max(finding.evidence, wait.evidence);
  }
  if (finding.evidence == Evidence::kUnknown) return std::nullopt;
  // Code that builds names as it runs could still release it.
  if (resource.abandoned == Abandoned::kUnreferenced) finding.evidence = Evidence::kProbable;
  std::sort(finding.members.begin(), finding.members.end());
  finding.resources = {index};
  finding.since = context.OldestWait(finding.members);
  SetEnding(context, finding);
  if (IsHandedOn(resource)) finding.ending = Ending::kMayEnd;
  finding.proof = {
      fmt::format("{} is locked: {}", context.describe.Resource(index), Because(resource)),
      fmt::format("{} waits for it at both looks",
                  context.describe.Actor(finding.members.front()))};
  finding.advice = Advice(resource);
  const bool certain = resource.abandoned != Abandoned::kUnreferenced;
  finding.blocked_behind = context.spread.Behind(
      finding.members, certain ? &context.stuck : nullptr, context.explained());
  return finding;
}

}  // namespace

std::vector<Finding> DetectAbandonedLocks(DetectContext& context) {
  std::vector<Finding> found;
  for (std::size_t i = 0; i < context.graph.resource_count(); ++i) {
    const auto resource = static_cast<ResourceIndex>(i);
    if (!IsAbandoned(context.graph, resource)) continue;
    std::optional<Finding> finding = Look(context, resource);
    if (!finding) continue;
    context.Explain(*finding);
    found.push_back(std::move(*finding));
  }
  return found;
}

}  // namespace ct
