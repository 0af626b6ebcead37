#include "graph/wait_graph.h"

#include <algorithm>

namespace ct {

namespace {

bool InRange(std::int32_t index, std::size_t size) {
  return index >= 0 && static_cast<std::size_t>(index) < size;
}

}  // namespace

Adjacency::Adjacency(std::size_t keys,
                     const std::vector<std::pair<std::int32_t, std::int32_t>>& pairs)
    : begin_(keys + 1, 0), items_(pairs.size()) {
  for (const auto& [key, item] : pairs) ++begin_[static_cast<std::size_t>(key) + 1];
  for (std::size_t key = 0; key < keys; ++key) begin_[key + 1] += begin_[key];
  std::vector<std::int32_t> next(begin_.begin(), begin_.end() - 1);
  for (const auto& [key, item] : pairs) {
    items_[static_cast<std::size_t>(next[static_cast<std::size_t>(key)]++)] = item;
  }
}

WaitGraph::WaitGraph(const Observation& observation)
    : observation_(&observation),
      wait_of_(observation.actors.size(), kNoIndex),
      holders_known_(observation.resources.size()) {
  for (std::size_t i = 0; i < observation.resources.size(); ++i) {
    holders_known_[i] = observation.resources[i].holders_known;
  }

  std::vector<std::pair<std::int32_t, std::int32_t>> waiters;
  waiters.reserve(observation.waits.size());
  for (std::size_t i = 0; i < observation.waits.size(); ++i) {
    const Wait& wait = observation.waits[i];
    if (!InRange(wait.actor, actor_count()) || !InRange(wait.resource, resource_count())) continue;
    if (wait_of_[Slot(wait.actor)] != kNoIndex) continue;
    wait_of_[Slot(wait.actor)] = static_cast<WaitIndex>(i);
    waiters.emplace_back(wait.resource, static_cast<WaitIndex>(i));
  }

  std::vector<std::pair<std::int32_t, std::int32_t>> holders;
  std::vector<std::pair<std::int32_t, std::int32_t>> held;
  holders.reserve(observation.holds.size());
  held.reserve(observation.holds.size());
  for (std::size_t i = 0; i < observation.holds.size(); ++i) {
    const Hold& hold = observation.holds[i];
    if (!InRange(hold.resource, resource_count())) continue;
    if (!InRange(hold.actor, actor_count())) {
      holders_known_[Slot(hold.resource)] = false;
      continue;
    }
    holders.emplace_back(hold.resource, static_cast<HoldIndex>(i));
    held.emplace_back(hold.actor, static_cast<HoldIndex>(i));
  }
  waiters_ = Adjacency(resource_count(), waiters);
  holders_ = Adjacency(resource_count(), holders);
  held_ = Adjacency(actor_count(), held);
}

SpaceId WaitGraph::SpaceOf(ActorIndex index) const {
  const ProcessIndex process = actor(index).process;
  if (!InRange(process, observation_->processes.size())) return 0;
  return observation_->processes[Slot(process)].space;
}

bool WaitGraph::IsCounted(ResourceIndex index) const {
  if (resource(index).rule == ReleaseRule::kAllHolders) return false;
  if (resource(index).capacity.value_or(1) > 1) return true;
  const auto holds = HoldersOf(index);
  return std::any_of(holds.begin(), holds.end(), [&](HoldIndex other) {
    return hold(other).actor != hold(holds.front()).actor;
  });
}

bool WaitGraph::IsAccounted(ResourceIndex index) const {
  const Resource& pool = resource(index);
  const bool has_units = pool.kind == ResourceKind::kPool || pool.kind == ResourceKind::kSemaphore;
  return has_units && pool.capacity && pool.in_use && *pool.in_use >= *pool.capacity &&
         HoldersKnown(index) && HoldersOf(index).size() >= *pool.in_use;
}

bool HasLeftWait(const Actor& actor, const Wait& wait) {
  if (actor.state == RunState::kExited) return true;
  const bool runs = actor.state == RunState::kRunning || actor.state == RunState::kRunnable;
  return runs && wait.continuity != Continuity::kContinued &&
         wait.continuity != Continuity::kDidNotRun;
}

}  // namespace ct
