// DEADLOCK and PROBABLE_DEADLOCK of a whole memory space: whoever holds what, nobody in it is left
// to wake anybody (DESIGN rule 4).
#include "graph/closed_world.h"

#include <algorithm>

#include <fmt/format.h>

#include "detect/context.h"
#include "graph/knots.h"
#include "graph/stuck_set.h"

namespace ct {

namespace {

// The first thread of it that waits for a lock, else for a thread to end: why this is not idleness.
ActorIndex WhoWantsSomething(const WaitGraph& graph, const ClosedWorld& world) {
  ActorIndex joiner = kNoIndex;
  for (const ActorIndex actor : world.threads) {
    const Wait& wait = graph.wait(graph.WaitOf(actor));
    if (wait.evidence == Evidence::kUnknown) continue;
    if (wait.purpose == WaitPurpose::kAcquire) return actor;
    if (wait.purpose == WaitPurpose::kJoin && joiner == kNoIndex) joiner = actor;
  }
  return joiner;
}

std::vector<std::string> Proof(const DetectContext& context, const ClosedWorld& world) {
  const WaitGraph& graph = context.graph;
  const ActorIndex wants = WhoWantsSomething(graph, world);
  const std::string asleep = "slept through both looks (switch counts equal)";
  std::vector<std::string> proof;
  proof.push_back(
      world.threads.size() == 1
          ? fmt::format("the only thread of its memory space {}", asleep)
          : fmt::format("all {} threads of the memory space {}", world.threads.size(), asleep));
  proof.emplace_back("each waits without a timeout for a wake-up that only they could give");
  proof.push_back(fmt::format(
      "{} {}: this is not idleness", context.describe.Actor(wants),
      "waits for " + context.describe.Resource(graph.wait(graph.WaitOf(wants)).resource)));
  if (world.signal_may_interrupt) {
    proof.emplace_back("not certain: the process has a signal handler or a timer, which might");
  }
  if (world.only_joins) {
    proof.emplace_back(
        "not certain: nobody waits for a lock; it may be meant to idle until killed");
  }
  return proof;
}

// Those of it who seem to wait for each other: where to look first. Empty if nobody does.
std::vector<RingStep> LikelyRing(const DetectContext& context, const ClosedWorld& world) {
  for (const Knot& knot : FindKnots(context.graph, StuckSet(context.graph, StuckRules::Likely()))) {
    if (std::binary_search(world.threads.begin(), world.threads.end(), knot.members.front())) {
      return knot.ring;
    }
  }
  return {};
}

Finding Accuse(const DetectContext& context, const ClosedWorld& world) {
  Finding finding;
  const bool certain = world.IsCertain();
  finding.kind = certain ? FindingKind::kDeadlock : FindingKind::kProbableDeadlock;
  finding.evidence = certain ? Evidence::kCertain : Evidence::kProbable;
  finding.ending = world.signal_may_interrupt ? Ending::kUnlessSignalled : Ending::kNever;
  finding.since = context.YoungestWait(world.threads);
  finding.members = world.threads;
  finding.resources = context.ResourcesOf(world.threads);
  finding.proof = Proof(context, world);
  finding.ring = LikelyRing(context, world);
  return finding;
}

}  // namespace

std::vector<Finding> DetectClosedWorlds(DetectContext& context) {
  std::vector<Finding> found;
  for (const ClosedWorld& world : FindClosedWorlds(context.graph)) {
    // A ring or an abandoned lock in it says more, and says it already.
    if (std::any_of(world.threads.begin(), world.threads.end(),
                    [&](ActorIndex actor) { return context.IsExplained(actor); })) {
      continue;
    }
    Finding finding = Accuse(context, world);
    finding.blocked_behind =
        context.spread.Behind(finding.members, &context.stuck, context.explained());
    found.push_back(std::move(finding));
  }
  return found;
}

}  // namespace ct
