#include "graph/components.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace ct {

namespace {

// Tarjan's algorithm with its own stack: a chain of 100 000 actors must not overflow ours.
class Tarjan {
 public:
  Tarjan(const WaitGraph& graph, const StuckSet& stuck)
      : graph_(graph),
        stuck_(stuck),
        actors_(static_cast<std::int32_t>(graph.actor_count())),
        order_(graph.actor_count() + graph.resource_count(), 0),
        low_(order_.size(), 0),
        open_(order_.size(), false) {
    found_.of.assign(order_.size(), -1);
  }

  Components Run() {
    for (const ActorIndex actor : stuck_.actors()) {
      if (order_[Slot(actor)] == 0) Search(actor);
    }
    return std::move(found_);
  }

 private:
  using Node = std::int32_t;  // an actor, or actors_ + a resource
  struct Visit {
    Node node;
    std::size_t next_edge;
  };

  static std::size_t Slot(Node node) { return static_cast<std::size_t>(node); }

  // The node's edge number `edge`, kNoIndex for one that is not believed.
  Node Target(Node node, std::size_t edge) const {
    if (node < actors_) return actors_ + graph_.wait(graph_.WaitOf(node)).resource;
    const Hold& hold = graph_.hold(graph_.HoldersOf(node - actors_)[edge]);
    return stuck_.Believes(hold) && stuck_.Contains(hold.actor) ? hold.actor : kNoIndex;
  }
  std::size_t EdgeCount(Node node) const {
    return node < actors_ ? 1 : graph_.HoldersOf(node - actors_).size();
  }

  void Search(Node start) {
    Enter(start);
    while (!visits_.empty()) {
      Visit& visit = visits_.back();
      if (visit.next_edge == EdgeCount(visit.node)) {
        Leave();
        continue;
      }
      const Node node = visit.node;
      const Node target = Target(node, visit.next_edge++);
      if (target == kNoIndex) continue;
      if (order_[Slot(target)] == 0) {
        Enter(target);
      } else if (open_[Slot(target)]) {
        low_[Slot(node)] = std::min(low_[Slot(node)], order_[Slot(target)]);
      }
    }
  }

  void Enter(Node node) {
    order_[Slot(node)] = low_[Slot(node)] = ++last_order_;
    open_[Slot(node)] = true;
    stack_.push_back(node);
    visits_.push_back({node, 0});
  }

  void Leave() {
    const Node node = visits_.back().node;
    visits_.pop_back();
    if (!visits_.empty()) {
      std::int32_t& parent = low_[Slot(visits_.back().node)];
      parent = std::min(parent, low_[Slot(node)]);
    }
    if (low_[Slot(node)] == order_[Slot(node)]) CloseComponent(node);
  }

  void CloseComponent(Node root) {
    const bool has_cycle = stack_.back() != root;
    const auto number = static_cast<std::int32_t>(found_.actors.size());
    std::vector<ActorIndex> actors;
    for (Node node = kNoIndex; node != root;) {
      node = stack_.back();
      stack_.pop_back();
      open_[Slot(node)] = false;
      if (!has_cycle) continue;
      found_.of[Slot(node)] = number;
      if (node < actors_) actors.push_back(node);
    }
    if (!has_cycle) return;
    std::sort(actors.begin(), actors.end());
    found_.actors.push_back(std::move(actors));
  }

  const WaitGraph& graph_;
  const StuckSet& stuck_;
  const std::int32_t actors_;
  std::vector<std::int32_t> order_;  // of the first visit, from 1; 0: not visited
  std::vector<std::int32_t> low_;
  std::vector<bool> open_;
  std::int32_t last_order_ = 0;
  std::vector<Node> stack_;
  std::vector<Visit> visits_;
  Components found_;
};

}  // namespace

Components FindComponents(const WaitGraph& graph, const StuckSet& stuck) {
  return Tarjan(graph, stuck).Run();
}

}  // namespace ct
