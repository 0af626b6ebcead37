#include "graph/order_rings.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "graph/order_graph.h"

namespace ct {

namespace {

// Of one process; who has that many has read enough.
constexpr std::size_t kMaxRings = 16;
// For all strongly connected parts of a process together; see SearchBudget.
constexpr std::size_t kMaxSteps = std::size_t{1} << 22;
constexpr std::uint32_t kNever = UINT32_MAX;

class RingSearch {
 public:
  RingSearch(const Observation& observation, ProcessIndex process, const PlaceOfSighting& place)
      : orders_(observation.hold_activity.orders),
        graph_(observation, process),
        place_(place),
        covered_(graph_.edges().size(), false),
        shortest_(graph_.edges().size(), kNever),
        distance_(graph_.node_count(), kNever),
        on_path_(graph_.node_count(), false) {}

  OrderRings Run() {
    std::vector<std::vector<std::size_t>> components(
        static_cast<std::size_t>(graph_.component_count()));
    for (std::size_t i = 0; i < graph_.edges().size(); ++i) {
      if (IsInside(i)) components[static_cast<std::size_t>(ComponentOf(i))].push_back(i);
    }
    // The small ones first: what they leave over is for those that need more.
    std::stable_sort(components.begin(), components.end(),
                     [](const auto& a, const auto& b) { return a.size() < b.size(); });
    std::size_t steps = kMaxSteps;
    for (std::size_t i = 0; i < components.size(); ++i) {
      const std::size_t share = steps / (components.size() - i);
      budget_ = SearchBudget(share);
      SearchComponent(components[i]);
      found_.complete &= budget_.IsComplete();
      steps -= share - budget_.left();
    }
    std::stable_sort(found_.rings.begin(), found_.rings.end(),
                     [](const auto& a, const auto& b) { return a.steps.size() < b.steps.size(); });
    return std::move(found_);
  }

 private:
  using Node = OrderGraph::Node;
  using Edge = OrderGraph::Edge;

  static std::size_t Slot(std::int32_t index) { return static_cast<std::size_t>(index); }
  [[nodiscard]] const Edge& EdgeAt(std::size_t index) const { return graph_.edges()[index]; }
  [[nodiscard]] const LockOrder& OrderOf(std::size_t edge) const {
    return orders_[Slot(EdgeAt(edge).order)];
  }
  [[nodiscard]] std::int32_t ComponentOf(std::size_t edge) const {
    return graph_.ComponentOf(EdgeAt(edge).from);
  }
  [[nodiscard]] bool IsInside(std::size_t edge) const {
    return ComponentOf(edge) >= 0 && ComponentOf(edge) == graph_.ComponentOf(EdgeAt(edge).to);
  }

  // No ring has more steps than there are threads to take them. 0: none can be at all.
  std::size_t LongestRing(const std::vector<std::size_t>& edges) {
    std::set<ThreadId> threads;
    std::set<ResourceIndex> common;  // guards of all sightings so far
    bool first = true;
    bool more = false;
    for (const std::size_t edge : edges) {
      const LockOrder& order = OrderOf(edge);
      more |= order.more_sightings;
      for (const LockOrderSighting& sighting : order.sightings) {
        budget_.Spend(1 + sighting.guards.size());
        threads.insert(sighting.thread);
        const std::set<ResourceIndex> guards(sighting.guards.begin(), sighting.guards.end());
        if (std::exchange(first, false)) common = guards;
        std::erase_if(common, [&](ResourceIndex guard) { return !guards.contains(guard); });
      }
    }
    if (!common.empty() || threads.size() < 2) return 0;
    std::size_t locks = 1;
    for (std::size_t i = 1; i < edges.size(); ++i) {
      locks += EdgeAt(edges[i]).from != EdgeAt(edges[i - 1]).from ? 1 : 0;
    }
    return more ? locks : std::min(locks, threads.size());
  }

  void SearchComponent(const std::vector<std::size_t>& edges) {
    const std::size_t longest = LongestRing(edges);
    if (longest == 0) return;
    // Pairs first: they need no distances, and cover most of what a large tangle has.
    for (const std::size_t edge : edges) shortest_[edge] = 2;
    SearchLength(edges, 2);
    if (longest == 2 || !MeasureRings(edges)) return;
    for (std::size_t length = 3; length <= longest; ++length) {
      const std::size_t next = NextLength(edges, length);
      if (next > longest) return;
      length = next;
      SearchLength(edges, length);
      if (budget_.IsSpent()) return;
    }
  }

  // By edge, how long the shortest ring through it is if threads and guards do not matter.
  bool MeasureRings(const std::vector<std::size_t>& edges) {
    Node measured = kNoIndex;
    for (const std::size_t edge : edges) {
      if (covered_[edge]) continue;
      if (measured != EdgeAt(edge).from) {
        measured = EdgeAt(edge).from;
        if (!MeasureDistances(measured, kNever)) return false;
      }
      shortest_[edge] = std::max(3U, distance_[Slot(EdgeAt(edge).to)] + 1);
    }
    return true;
  }

  std::size_t NextLength(const std::vector<std::size_t>& edges, std::size_t least) const {
    std::size_t next = SIZE_MAX;
    for (const std::size_t edge : edges) {
      if (!covered_[edge]) next = std::min(next, std::max<std::size_t>(shortest_[edge], least));
    }
    return next;
  }

  void SearchLength(const std::vector<std::size_t>& edges, std::size_t length) {
    Node measured = kNoIndex;
    for (const std::size_t edge : edges) {
      if (covered_[edge] || shortest_[edge] > length) continue;
      if (length > 2 && measured != EdgeAt(edge).from) {
        measured = EdgeAt(edge).from;
        if (!MeasureDistances(measured, static_cast<std::uint32_t>(length))) return;
      }
      SearchFrom(edge, length);
      if (budget_.IsSpent()) return;
    }
  }

  // By node, steps to `target` inside of its component; kNever where more than `limit`.
  bool MeasureDistances(Node target, std::uint32_t limit) {
    for (const Node node : reached_) distance_[Slot(node)] = kNever;
    reached_ = {target};
    distance_[Slot(target)] = 0;
    for (std::size_t at = 0; at < reached_.size(); ++at) {
      const Node node = reached_[at];
      if (distance_[Slot(node)] == limit) break;
      for (const std::int32_t edge : graph_.In(node)) {
        if (!budget_.Spend(1)) return false;
        const Node from = EdgeAt(Slot(edge)).from;
        if (graph_.ComponentOf(from) != graph_.ComponentOf(target)) continue;
        if (distance_[Slot(from)] != kNever) continue;
        distance_[Slot(from)] = distance_[Slot(node)] + 1;
        reached_.push_back(from);
      }
    }
    return true;
  }

  // A ring of that length through the edge, depth first; it has been looked for through all
  // uncovered edges before this one.
  void SearchFrom(std::size_t first, std::size_t length) {
    choice_.Clear();
    path_.clear();
    if (!choice_.Push(EdgeAt(first).order)) return;
    target_ = EdgeAt(first).from;
    Enter(first);
    while (!path_.empty()) {
      Visit& visit = path_.back();
      if (visit.next_edge == graph_.OutEnd(EdgeAt(visit.edge).to) || budget_.IsSpent()) {
        Leave();
        continue;
      }
      const std::size_t edge = visit.next_edge++;
      budget_.Spend(1);
      if (!covered_[edge] && edge < first) continue;
      if (TryEdge(edge, length)) break;
    }
    while (!path_.empty()) Leave();
  }

  // Goes on by the edge where that can lead to a ring; true if it has closed one.
  bool TryEdge(std::size_t edge, std::size_t length) {
    const Node to = EdgeAt(edge).to;
    const std::size_t left = length - path_.size() - 1;
    if (left == 0 ? to != target_ : on_path_[Slot(to)] || to == target_) return false;
    if (left > 0 && distance_[Slot(to)] > left) return false;
    if (!choice_.Push(EdgeAt(edge).order)) return false;
    if (left > 0) {
      Enter(edge);
      return false;
    }
    const std::optional<SightingChoice::Chosen> chosen = choice_.Close();
    choice_.Pop();
    if (!chosen) return false;
    Keep(edge, *chosen);
    return true;
  }

  void Enter(std::size_t edge) {
    path_.push_back({edge, graph_.OutBegin(EdgeAt(edge).to)});
    on_path_[Slot(EdgeAt(edge).to)] = true;
  }
  void Leave() {
    on_path_[Slot(EdgeAt(path_.back().edge).to)] = false;
    path_.pop_back();
    choice_.Pop();
  }

  // The path and the edge that closes it.
  void Keep(std::size_t last, const SightingChoice::Chosen& chosen) {
    std::vector<std::size_t> edges;
    for (const Visit& visit : path_) edges.push_back(visit.edge);
    edges.push_back(last);
    OrderRing ring;
    ring.any_thread = chosen.any_thread;
    std::vector<std::uint64_t> places;
    for (std::size_t step = 0; step < edges.size(); ++step) {
      Cover(edges[step]);
      const std::int32_t sighting = chosen.sightings[step];
      ring.steps.push_back({EdgeAt(edges[step]).order, sighting});
      places.push_back(place_(OrderOf(edges[step]).sightings[Slot(sighting)]));
    }
    const auto lowest = std::min_element(
        edges.begin(), edges.end(),
        [&](std::size_t a, std::size_t b) { return EdgeAt(a).from < EdgeAt(b).from; });
    std::rotate(ring.steps.begin(), ring.steps.begin() + (lowest - edges.begin()),
                ring.steps.end());
    std::sort(places.begin(), places.end());
    if (places.front() != 0) {
      const auto [known, added] = by_places_.try_emplace(places, found_.rings.size());
      if (!added) {
        // One that was too many to be kept has no place among them.
        if (known->second < found_.rings.size()) ++found_.rings[known->second].alike;
        return;
      }
      if (found_.rings.size() == kMaxRings) known->second = SIZE_MAX;
    }
    if (found_.rings.size() == kMaxRings) {
      ++found_.more;
    } else {
      found_.rings.push_back(std::move(ring));
    }
  }

  // All rows of that pair of locks.
  void Cover(std::size_t edge) {
    const Edge& pair = EdgeAt(edge);
    const auto same = [&](std::size_t other) {
      return EdgeAt(other).from == pair.from && EdgeAt(other).to == pair.to;
    };
    for (std::size_t i = edge; i < graph_.edges().size() && same(i); ++i) covered_[i] = true;
    for (std::size_t i = edge; i-- > 0 && same(i);) covered_[i] = true;
  }

  struct Visit {
    std::size_t edge;
    std::size_t next_edge;
  };

  const std::vector<LockOrder>& orders_;
  const OrderGraph graph_;
  const PlaceOfSighting& place_;
  SearchBudget budget_{kMaxSteps};
  SightingChoice choice_{orders_, budget_};
  OrderRings found_;
  std::map<std::vector<std::uint64_t>, std::size_t> by_places_;  // index of the ring
  std::vector<bool> covered_;                                    // by edge
  std::vector<std::uint32_t> shortest_;                          // by edge
  std::vector<std::uint32_t> distance_;                          // by node, to the last target
  std::vector<Node> reached_;                                    // whose distance is set
  std::vector<bool> on_path_;                                    // by node
  Node target_ = kNoIndex;
  std::vector<Visit> path_;
};

}  // namespace

OrderRings FindOrderRings(const Observation& observation, ProcessIndex process,
                          const PlaceOfSighting& place) {
  return RingSearch(observation, process, place).Run();
}

}  // namespace ct
