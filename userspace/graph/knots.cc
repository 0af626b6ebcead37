#include "graph/knots.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>

#include "graph/components.h"

namespace ct {

namespace {

// Knots that hang on each other are peeled off in rounds. Real ones need one; a graph made to need
// more gets what is left after this many, which is stuck too, if partly because of others.
constexpr int kMaxRounds = 16;
// Edges looked at in search of shortest cycles, for all knots of a graph together. Enough for a
// knot of 2000 actors that all wait for each other; a plain ring of any size needs its length.
constexpr std::size_t kMaxSearchedEdges = 1 << 23;

// Shortest cycles by breadth-first search from every member.
class RingSearch {
 public:
  RingSearch(const WaitGraph& graph, const StuckSet& stuck, const Components& components)
      : graph_(graph),
        stuck_(stuck),
        components_(components),
        seen_in_(graph.actor_count(), 0),
        resource_seen_in_(graph.resource_count(), 0),
        reached_by_(graph.actor_count()) {}

  std::vector<RingStep> Shortest(const std::vector<ActorIndex>& members) {
    std::vector<RingStep> best;
    for (const ActorIndex start : members) {
      std::vector<RingStep> ring = From(start, best.empty() ? members.size() : best.size() - 1);
      if (!ring.empty()) {
        best = std::move(ring);
        const bool is_the_only_one = branches_ == 0;
        if (is_the_only_one || best.size() == 1) break;
      }
      if (!best.empty() && searched_edges_ > kMaxSearchedEdges) break;
    }
    StartAtLowestActor(best);
    return best;
  }

 private:
  struct Reached {
    ActorIndex from;
    HoldIndex hold;
  };

  bool IsInside(HoldIndex index) const {
    const Hold& hold = graph_.hold(index);
    return stuck_.Believes(hold) && stuck_.Contains(hold.actor) &&
           components_.of[static_cast<std::size_t>(hold.actor)] == component_;
  }

  // The shortest cycle through `start`, empty if it has more than `limit` steps.
  std::vector<RingStep> From(ActorIndex start, std::size_t limit) {
    component_ = components_.of[static_cast<std::size_t>(start)];
    ++search_;
    branches_ = 0;
    std::vector<ActorIndex> level = {start};
    for (std::size_t steps = 1; steps <= limit && !level.empty(); ++steps) {
      std::vector<ActorIndex> next;
      for (const ActorIndex actor : level) {
        if (Expand(actor, start, next)) return Path(start);
      }
      level = std::move(next);
    }
    return {};
  }

  // Adds the holders that `actor` waits for to `next`; true if `start` is one of them.
  bool Expand(ActorIndex actor, ActorIndex start, std::vector<ActorIndex>& next) {
    const ResourceIndex resource = graph_.wait(graph_.WaitOf(actor)).resource;
    if (resource_seen_in_[static_cast<std::size_t>(resource)] == search_) {
      ++branches_;
      return false;
    }
    resource_seen_in_[static_cast<std::size_t>(resource)] = search_;
    std::size_t holders = 0;
    bool closed = false;
    for (const HoldIndex hold : graph_.HoldersOf(resource)) {
      ++searched_edges_;
      if (!IsInside(hold)) continue;
      const ActorIndex holder = graph_.hold(hold).actor;
      if (++holders > 1) ++branches_;
      if (seen_in_[static_cast<std::size_t>(holder)] == search_) continue;
      seen_in_[static_cast<std::size_t>(holder)] = search_;
      reached_by_[static_cast<std::size_t>(holder)] = {actor, hold};
      closed |= holder == start;
      next.push_back(holder);
    }
    return closed;
  }

  std::vector<RingStep> Path(ActorIndex start) const {
    std::vector<RingStep> ring;
    ActorIndex actor = start;
    do {
      const Reached& reached = reached_by_[static_cast<std::size_t>(actor)];
      ring.push_back({graph_.WaitOf(reached.from), reached.hold});
      actor = reached.from;
    } while (actor != start);
    std::reverse(ring.begin(), ring.end());
    return ring;
  }

  void StartAtLowestActor(std::vector<RingStep>& ring) const {
    const auto lowest =
        std::min_element(ring.begin(), ring.end(), [this](const RingStep& a, const RingStep& b) {
          return graph_.wait(a.wait).actor < graph_.wait(b.wait).actor;
        });
    std::rotate(ring.begin(), lowest, ring.end());
  }

  const WaitGraph& graph_;
  const StuckSet& stuck_;
  const Components& components_;
  std::int32_t component_ = -1;
  std::uint32_t search_ = 0;
  std::vector<std::uint32_t> seen_in_;           // by actor: the last search that reached it
  std::vector<std::uint32_t> resource_seen_in_;  // by resource
  std::vector<Reached> reached_by_;              // by actor, valid where seen in this search
  std::size_t branches_ = 0;                     // met on the way; none: the knot is a plain ring
  std::size_t searched_edges_ = 0;
};

std::size_t ActorCount(const Components& components) {
  std::size_t count = 0;
  for (const auto& actors : components.actors) count += actors.size();
  return count;
}

}  // namespace

std::vector<Knot> FindKnots(const WaitGraph& graph, const StuckSet& stuck) {
  StuckSet left = stuck;
  Components components = FindComponents(graph, left);
  for (int round = 0; round < kMaxRounds; ++round) {
    StuckSet alone(graph, stuck.rules(), components.of);
    if (alone.actors().size() == ActorCount(components)) break;
    left = std::move(alone);
    components = FindComponents(graph, left);
  }

  RingSearch search(graph, left, components);
  std::vector<Knot> knots;
  knots.reserve(components.actors.size());
  for (const std::vector<ActorIndex>& actors : components.actors) {
    Knot knot;
    knot.ring = search.Shortest(actors);
    for (const RingStep& step : knot.ring) knot.members.push_back(graph.wait(step.wait).actor);
    std::vector<ActorIndex> in_ring = knot.members;
    std::sort(in_ring.begin(), in_ring.end());
    std::set_difference(actors.begin(), actors.end(), in_ring.begin(), in_ring.end(),
                        std::back_inserter(knot.members));
    knots.push_back(std::move(knot));
  }
  return knots;
}

}  // namespace ct
