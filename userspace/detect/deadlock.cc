// DEADLOCK and PROBABLE_DEADLOCK: knots of the wait-for graph, from the best known down.
#include <algorithm>
#include <optional>

#include "detect/context.h"
#include "detect/deadlock_proof.h"
#include "graph/closed_world.h"
#include "graph/knots.h"
#include "graph/stuck_set.h"

namespace ct {

namespace {

struct Level {
  StuckRules rules;
  FindingKind kind;
  Evidence evidence;
};

// Who did not run keeps its lock, so whoever waits for that has not left its call, and so on
// around. Without one, the members may block each other again and again and never all at once.
bool SomebodyDidNotRun(const WaitGraph& graph, const std::vector<ActorIndex>& members) {
  return std::any_of(members.begin(), members.end(), [&](ActorIndex actor) {
    return graph.wait(graph.WaitOf(actor)).continuity >= Continuity::kDidNotRun;
  });
}

// In a ring through a pool one holder that did not run proves nothing of the others: everybody must
// have been seen at rest.
bool IsSeenWhole(const WaitGraph& graph, const std::vector<ActorIndex>& members) {
  const auto wait_of = [&](ActorIndex actor) -> const Wait& {
    return graph.wait(graph.WaitOf(actor));
  };
  const bool counted = std::any_of(members.begin(), members.end(), [&](ActorIndex actor) {
    return graph.IsCounted(wait_of(actor).resource);
  });
  return !counted || std::all_of(members.begin(), members.end(), [&](ActorIndex actor) {
    return wait_of(actor).continuity == Continuity::kStill;
  });
}

std::optional<TimeNs> EarliestDeadline(const WaitGraph& graph,
                                       const std::vector<ActorIndex>& members) {
  std::optional<TimeNs> earliest;
  for (const ActorIndex actor : members) {
    const Wait& wait = graph.wait(graph.WaitOf(actor));
    if (wait.deadline && (!earliest || *wait.deadline < *earliest)) earliest = wait.deadline;
  }
  return earliest;
}

class DeadlockDetector {
 public:
  explicit DeadlockDetector(DetectContext& context) : context_(context), graph_(context.graph) {}

  std::vector<Finding> Run() {
    const StuckRules proven = StuckRules::Proven();
    const StuckRules likely = StuckRules::Likely();
    Look({proven, FindingKind::kDeadlock, Evidence::kCertain});
    Look({proven.WithTimed(), FindingKind::kDeadlock, Evidence::kCertain});
    Look({StuckRules::Frozen(), FindingKind::kDeadlock, Evidence::kCertain});
    FindCertainWorlds();
    Look({likely, FindingKind::kProbableDeadlock, Evidence::kProbable});
    Look({likely.WithTimed(), FindingKind::kProbableDeadlock, Evidence::kProbable});
    // After all members are known, so that no knot is told as behind another.
    for (Finding& finding : found_) {
      finding.blocked_behind =
          context_.spread.Behind(finding.members, &context_.stuck, context_.explained());
      context_.Explain(finding);
      finding.proof = DeadlockProof(context_, finding);
    }
    return std::move(found_);
  }

 private:
  // A space that is certainly stuck is told as such: who in it seems to hold what is told there.
  // Not so where a ring or an abandoned lock says more: then each is told for itself.
  void FindCertainWorlds() {
    in_certain_world_.assign(graph_.actor_count(), false);
    for (const ClosedWorld& world : FindClosedWorlds(graph_)) {
      const bool told =
          std::any_of(world.threads.begin(), world.threads.end(), [&](ActorIndex actor) {
            const ResourceIndex awaited = graph_.wait(graph_.WaitOf(actor)).resource;
            return context_.IsExplained(actor) ||
                   graph_.resource(awaited).abandoned != Abandoned::kNo;
          });
      if (told || !world.IsCertain()) continue;
      for (const ActorIndex actor : world.threads) {
        in_certain_world_[static_cast<std::size_t>(actor)] = true;
      }
    }
  }

  void Look(const Level& level) {
    const StuckSet stuck(graph_, level.rules);
    if (stuck.actors().empty()) return;
    const std::vector<bool> untimed = InUntimedKnots(level);
    for (const Knot& knot : FindKnots(graph_, stuck)) {
      std::optional<Finding> finding = Judge(knot, level, untimed);
      if (!finding) continue;
      context_.Explain(*finding);
      found_.push_back(std::move(*finding));
    }
  }

  // By actor: in a knot without its timed waits, too. Empty for a level that has none.
  std::vector<bool> InUntimedKnots(const Level& level) const {
    if (!level.rules.timed) return {};
    std::vector<bool> members(graph_.actor_count());
    const StuckSet stuck(graph_, level.rules.WithoutTimed());
    for (const Knot& knot : FindKnots(graph_, stuck)) {
      for (const ActorIndex actor : knot.members) members[static_cast<std::size_t>(actor)] = true;
    }
    return members;
  }

  std::optional<Finding> Judge(const Knot& knot, const Level& level,
                               const std::vector<bool>& untimed) const {
    const bool told =
        std::any_of(knot.members.begin(), knot.members.end(), [this](ActorIndex actor) {
          return context_.IsExplained(actor) || IsInCertainWorld(actor);
        });
    if (told || !SomebodyDidNotRun(graph_, knot.members)) return std::nullopt;
    if (!IsSeenWhole(graph_, knot.members)) return std::nullopt;
    Finding finding;
    finding.kind = level.kind;
    finding.evidence = level.evidence;
    finding.members = knot.members;
    finding.ring = knot.ring;
    finding.resources = context_.ResourcesOf(knot.members);
    finding.since = context_.YoungestWait(
        {knot.members.begin(),
         knot.members.begin() + static_cast<std::ptrdiff_t>(knot.ring.size())});
    finding.ending = Ending::kNever;
    if (level.rules.timed && EndsByTimeout(knot, untimed)) {
      finding.ending = Ending::kTimeout;
      finding.ends_at = EarliestDeadline(graph_, knot.members);
      if (!LivesLong(finding)) return std::nullopt;
    }
    finding.advice = Advice(knot);
    return finding;
  }

  bool IsInCertainWorld(ActorIndex actor) const {
    return !in_certain_world_.empty() && in_certain_world_[static_cast<std::size_t>(actor)];
  }

  // A timed wait somewhere in a knot need not end it: the others may be one without it.
  static bool EndsByTimeout(const Knot& knot, const std::vector<bool>& untimed) {
    return std::none_of(knot.members.begin(), knot.members.end(),
                        [&](ActorIndex actor) { return untimed[static_cast<std::size_t>(actor)]; });
  }

  bool LivesLong(const Finding& finding) const {
    const TimeNs until = std::max(context_.observation().end, finding.ends_at.value_or(0));
    return until - finding.since >= context_.options.long_wait;
  }

  std::string Advice(const Knot& knot) const {
    const bool joins = std::any_of(knot.members.begin(), knot.members.end(), [&](ActorIndex actor) {
      return graph_.wait(graph_.WaitOf(actor)).purpose == WaitPurpose::kJoin;
    });
    const bool tasks = graph_.actor(knot.members.front()).kind == ActorKind::kTask;
    const bool pool = std::any_of(knot.members.begin(), knot.members.end(), [&](ActorIndex actor) {
      const ResourceIndex awaited = graph_.wait(graph_.WaitOf(actor)).resource;
      return graph_.resource(awaited).kind == ResourceKind::kPool ||
             (graph_.IsCounted(awaited) && graph_.IsAccounted(awaited));
    });
    if (pool) {
      return "Pass down what the caller holds instead of acquiring another, or give that acquire a "
             "timeout";
    }
    const bool locks = std::any_of(knot.members.begin(), knot.members.end(), [&](ActorIndex actor) {
      return graph_.wait(graph_.WaitOf(actor)).purpose == WaitPurpose::kAcquire;
    });
    if (joins && !locks) {
      return "Do not wait for a call in the thread or task that it needs in order to run";
    }
    if (joins) {
      return std::string("Release the locks that a ") + (tasks ? "task" : "thread") +
             " needs before waiting for its end";
    }
    if (knot.members.size() == 1) {
      const std::string advice = "Do not acquire again what the caller already holds";
      return tasks ? advice : advice + ", or use a recursive lock";  // asyncio has none
    }
    return "Take these locks in one order everywhere";
  }

  DetectContext& context_;
  const WaitGraph& graph_;
  std::vector<Finding> found_;
  std::vector<bool> in_certain_world_;  // by actor; empty while only what is proven is looked at
};

}  // namespace

std::vector<Finding> DetectDeadlocks(DetectContext& context) {
  return DeadlockDetector(context).Run();
}

}  // namespace ct
