#include "tests/unit/graph/oracle.h"

#include <algorithm>

namespace ct::testing {

namespace {

constexpr int kFar = 1000;

bool Has(std::uint32_t set, ActorIndex actor) { return (set >> actor & 1U) != 0; }

ActorSet ToSet(std::uint32_t bits) {
  ActorSet set;
  for (ActorIndex actor = 0; actor < kMaxActors; ++actor) {
    if (Has(bits, actor)) set.insert(actor);
  }
  return set;
}

std::vector<const Hold*> HoldsOn(const Observation& observation, ResourceIndex resource) {
  std::vector<const Hold*> holds;
  for (const Hold& hold : observation.holds) {
    if (hold.resource == resource) holds.push_back(&hold);
  }
  return holds;
}

bool Runs(const Actor& actor) {
  return actor.state == RunState::kRunning || actor.state == RunState::kRunnable;
}

}  // namespace

Oracle::Oracle(const Observation& observation, StuckRules rules)
    : observation_(observation), rules_(rules), believed_(observation.actors.size(), nullptr) {
  for (const Wait& wait : observation.waits) {
    if (Believed(wait)) believed_[static_cast<std::size_t>(wait.actor)] = &wait;
  }
}

bool Oracle::Believed(const Wait& wait) const {
  const Actor& actor = observation_.actors[static_cast<std::size_t>(wait.actor)];
  switch (wait.continuity) {
    case Continuity::kSeenOnce:
      return false;
    case Continuity::kContinued:
    case Continuity::kDidNotRun:
      if (rules_.continuity == Continuity::kStill || wait.timed) return false;
      break;
    case Continuity::kStill:
      if (Runs(actor) || (wait.timed && !rules_.timed)) return false;
      break;
  }
  return wait.evidence == Evidence::kCertain ||
         (wait.evidence == Evidence::kProbable && rules_.evidence == Evidence::kProbable);
}

// Whether nobody outside `stuck` can let `actor` go.
bool Oracle::IsKept(ActorIndex actor, Bits stuck, bool abandoned_keep) const {
  const Wait* wait = believed_[static_cast<std::size_t>(actor)];
  if (wait == nullptr) return false;
  const Resource& resource = observation_.resources[static_cast<std::size_t>(wait->resource)];
  if (resource.abandoned != Abandoned::kNo) return abandoned_keep;
  if (!resource.holders_known) return false;
  ActorSet holders;
  int keep = 0;
  int let_go = 0;
  for (const Hold* hold : HoldsOn(observation_, wait->resource)) {
    holders.insert(hold->actor);
    ++(hold->evidence >= rules_.evidence && Has(stuck, hold->actor) ? keep : let_go);
  }
  if (resource.rule == ReleaseRule::kAllHolders) return keep > 0;
  const bool counted = holders.size() > 1 || resource.capacity.value_or(1) > 1;
  const bool accounted = resource.kind == ResourceKind::kPool && resource.capacity &&
                         resource.in_use.value_or(0) >= *resource.capacity &&
                         static_cast<std::uint32_t>(keep + let_go) >= *resource.in_use;
  if (counted && !rules_.counted && !accounted) return false;
  return keep > 0 && let_go == 0;
}

bool Oracle::Sustains(Bits stuck, bool abandoned_keep) const {
  for (std::size_t i = 0; i < believed_.size(); ++i) {
    const auto actor = static_cast<ActorIndex>(i);
    if (Has(stuck, actor) && !IsKept(actor, stuck, abandoned_keep)) return false;
  }
  return true;
}

ActorSet Oracle::Stuck() const {
  Bits all = 0;
  for (Bits set = 0; set < 1U << believed_.size(); ++set) {
    if (Sustains(set, true)) all |= set;
  }
  return ToSet(all);
}

std::vector<std::vector<int>> Oracle::Distances(Bits within) const {
  const std::size_t size = believed_.size();
  std::vector<std::vector<int>> distance(size, std::vector<int>(size, kFar));
  for (std::size_t from = 0; from < size; ++from) {
    if (!Has(within, static_cast<ActorIndex>(from)) || believed_[from] == nullptr) continue;
    for (const Hold* hold : HoldsOn(observation_, believed_[from]->resource)) {
      if (hold->evidence < rules_.evidence || !Has(within, hold->actor)) continue;
      distance[from][static_cast<std::size_t>(hold->actor)] = 1;
    }
  }
  for (std::size_t via = 0; via < size; ++via) {
    for (std::size_t from = 0; from < size; ++from) {
      for (std::size_t to = 0; to < size; ++to) {
        distance[from][to] = std::min(distance[from][to], distance[from][via] + distance[via][to]);
      }
    }
  }
  return distance;
}

bool Oracle::IsStronglyConnected(Bits actors) const {
  const auto distance = Distances(actors);
  for (const ActorIndex from : ToSet(actors)) {
    for (const ActorIndex to : ToSet(actors)) {
      if (distance[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)] >= kFar) {
        return false;
      }
    }
  }
  return actors != 0;
}

std::vector<ActorSet> Oracle::Knots() const {
  std::vector<Bits> found;
  for (Bits set = 1; set < 1U << believed_.size(); ++set) {
    if (Sustains(set, false) && IsStronglyConnected(set)) found.push_back(set);
  }
  std::vector<ActorSet> maximal;
  for (const Bits set : found) {
    const bool is_part = std::any_of(found.begin(), found.end(), [set](Bits other) {
      return other != set && (set & other) == set;
    });
    if (!is_part) maximal.push_back(ToSet(set));
  }
  std::sort(maximal.begin(), maximal.end());
  return maximal;
}

std::size_t Oracle::ShortestCycle(const ActorSet& actors) const {
  Bits within = 0;
  for (const ActorIndex actor : actors) within |= 1U << actor;
  const auto distance = Distances(within);
  int shortest = kFar;
  for (std::size_t i = 0; i < distance.size(); ++i) shortest = std::min(shortest, distance[i][i]);
  return shortest >= kFar ? 0 : static_cast<std::size_t>(shortest);
}

ActorSet BehindByAsking(const Observation& observation, const ActorSet& core,
                        const ActorSet& stuck) {
  ActorSet reached = core;
  const auto must_wait = [&](const Wait& wait) {
    const auto holds = HoldsOn(observation, wait.resource);
    const auto by_reached = [&](const Hold* hold) {
      return hold->evidence != Evidence::kUnknown && reached.contains(hold->actor);
    };
    if (std::none_of(holds.begin(), holds.end(), by_reached)) return false;
    if (stuck.contains(wait.actor)) return true;
    const Actor& actor = observation.actors[static_cast<std::size_t>(wait.actor)];
    if (Runs(actor) && wait.continuity != Continuity::kContinued &&
        wait.continuity != Continuity::kDidNotRun) {
      return false;
    }
    const Resource& resource = observation.resources[static_cast<std::size_t>(wait.resource)];
    if (wait.evidence == Evidence::kUnknown || !resource.holders_known) return false;
    return resource.rule == ReleaseRule::kAllHolders ||
           std::all_of(holds.begin(), holds.end(), by_reached);
  };
  for (bool grew = true; grew;) {
    grew = false;
    for (const Wait& wait : observation.waits) {
      if (!reached.contains(wait.actor) && must_wait(wait)) {
        reached.insert(wait.actor);
        grew = true;
      }
    }
  }
  for (const ActorIndex actor : core) reached.erase(actor);
  return reached;
}

}  // namespace ct::testing
