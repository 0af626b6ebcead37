#include "graph/closed_world.h"

#include <cstddef>
#include <cstdint>
#include <map>

namespace ct {

namespace {

struct Inhabitants {
  std::vector<ActorIndex> threads;
  bool all_locked_in = true;
  bool somebody_wants_a_lock = false;
  bool somebody_joins = false;
  bool signal_may_interrupt = false;
};

// A join waits on a shared futex, which the kernel wakes when the thread ends. That thread is of
// the same space, so only the space can end this wait, too.
bool OnlyItsSpaceEnds(const WaitGraph& graph, const Wait& wait) {
  return wait.private_futex || graph.resource(wait.resource).kind == ResourceKind::kThreadExit;
}

bool IsLockedIn(const WaitGraph& graph, ActorIndex actor) {
  const WaitIndex index = graph.WaitOf(actor);
  if (index == kNoIndex) return false;
  const Wait& wait = graph.wait(index);
  return wait.continuity == Continuity::kStill && !HasLeftWait(graph.actor(actor), wait) &&
         !wait.timed && !wait.deadline && OnlyItsSpaceEnds(graph, wait);
}

void Add(const WaitGraph& graph, ActorIndex index, Inhabitants& space) {
  space.threads.push_back(index);
  space.signal_may_interrupt |= graph.actor(index).signal_may_interrupt;
  if (!IsLockedIn(graph, index)) {
    space.all_locked_in = false;
    return;
  }
  const Wait& wait = graph.wait(graph.WaitOf(index));
  if (wait.evidence == Evidence::kUnknown) return;
  space.somebody_wants_a_lock |= wait.purpose == WaitPurpose::kAcquire;
  // Python's handlers of signals run in a thread that waits: services idle in join() until one.
  space.somebody_joins |= wait.purpose == WaitPurpose::kJoin &&
                          graph.resource(wait.resource).implementation != Implementation::kCpython;
}

}  // namespace

std::vector<ClosedWorld> FindClosedWorlds(const WaitGraph& graph) {
  std::map<SpaceId, Inhabitants> by_space;
  for (std::size_t i = 0; i < graph.actor_count(); ++i) {
    const auto actor = static_cast<ActorIndex>(i);
    // Tasks run on threads; what those do decides.
    if (graph.actor(actor).kind != ActorKind::kThread) continue;
    if (const SpaceId space = graph.SpaceOf(actor); space != 0) Add(graph, actor, by_space[space]);
  }
  std::map<SpaceId, const Space*> all_observed;
  for (const Space& space : graph.observation().spaces) {
    if (space.all_observed) all_observed[space.id] = &space;
  }
  std::vector<ClosedWorld> found;
  for (auto& [id, inhabitants] : by_space) {
    const auto space = all_observed.find(id);
    if (space == all_observed.end()) continue;
    if (inhabitants.threads.size() != space->second->threads) continue;
    if (!inhabitants.all_locked_in) continue;
    if (!inhabitants.somebody_wants_a_lock && !inhabitants.somebody_joins) continue;
    found.push_back({id, std::move(inhabitants.threads), inhabitants.signal_may_interrupt,
                     !inhabitants.somebody_wants_a_lock});
  }
  return found;
}

}  // namespace ct
