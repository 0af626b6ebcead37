#include "graph/order_graph.h"

#include <algorithm>
#include <tuple>

namespace ct {

bool KeepsOthersOut(const Resource& resource) {
  switch (resource.kind) {
    case ResourceKind::kMutex:
    case ResourceKind::kRwLock:
    case ResourceKind::kStdioLock:
    case ResourceKind::kMallocArena:
    case ResourceKind::kOnce:
    case ResourceKind::kGil:
    case ResourceKind::kPool:
      return true;
    case ResourceKind::kSemaphore:
      return resource.capacity == 1U;
    default:
      return false;
  }
}

OrderGraph::OrderGraph(const Observation& observation, ProcessIndex process) {
  const auto usable = [&](ResourceIndex index) {
    return index >= 0 && Slot(index) < observation.resources.size() &&
           KeepsOthersOut(observation.resources[Slot(index)]);
  };
  std::vector<LockOrderIndex> rows;
  const std::vector<LockOrder>& orders = observation.hold_activity.orders;
  for (std::size_t i = 0; i < orders.size(); ++i) {
    const LockOrder& order = orders[i];
    if (order.process != process || order.held == order.wanted || order.sightings.empty()) continue;
    if (!usable(order.held) || !usable(order.wanted)) continue;
    rows.push_back(static_cast<LockOrderIndex>(i));
    locks_.push_back(order.held);
    locks_.push_back(order.wanted);
  }
  const auto earlier = [&](ResourceIndex a, ResourceIndex b) {
    return std::tie(observation.resources[Slot(a)].id, a) <
           std::tie(observation.resources[Slot(b)].id, b);
  };
  std::sort(locks_.begin(), locks_.end(), earlier);
  locks_.erase(std::unique(locks_.begin(), locks_.end()), locks_.end());
  const auto node_of = [&](ResourceIndex lock) {
    return static_cast<Node>(std::lower_bound(locks_.begin(), locks_.end(), lock, earlier) -
                             locks_.begin());
  };
  for (const LockOrderIndex row : rows) {
    edges_.push_back({node_of(orders[Slot(row)].held), node_of(orders[Slot(row)].wanted), row});
  }
  std::sort(edges_.begin(), edges_.end(), [](const Edge& a, const Edge& b) {
    return std::tie(a.from, a.to, a.order) < std::tie(b.from, b.to, b.order);
  });

  out_begin_.assign(node_count() + 1, 0);
  in_begin_.assign(node_count() + 1, 0);
  for (const Edge& edge : edges_) {
    ++out_begin_[Slot(edge.from) + 1];
    ++in_begin_[Slot(edge.to) + 1];
  }
  for (std::size_t node = 0; node < node_count(); ++node) {
    out_begin_[node + 1] += out_begin_[node];
    in_begin_[node + 1] += in_begin_[node];
  }
  in_.resize(edges_.size());
  std::vector<std::size_t> next(in_begin_.begin(), in_begin_.end() - 1);
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    in_[next[Slot(edges_[i].to)]++] = static_cast<std::int32_t>(i);
  }
  FindComponents();
}

// Tarjan's algorithm, without recursion: a chain of 100 000 locks must not overflow our stack.
void OrderGraph::FindComponents() {
  struct Visit {
    Node node;
    std::size_t next_edge;
  };
  component_.assign(node_count(), -1);
  std::vector<std::int32_t> order(node_count(), 0);  // of the first visit, from 1
  std::vector<std::int32_t> low(node_count(), 0);
  std::vector<bool> open(node_count(), false);
  std::vector<Node> stack;
  std::vector<Visit> visits;
  std::int32_t last = 0;
  const auto enter = [&](Node node) {
    order[Slot(node)] = low[Slot(node)] = ++last;
    open[Slot(node)] = true;
    stack.push_back(node);
    visits.push_back({node, OutBegin(node)});
  };
  const auto leave = [&] {
    const Node node = visits.back().node;
    visits.pop_back();
    if (!visits.empty()) {
      std::int32_t& parent = low[Slot(visits.back().node)];
      parent = std::min(parent, low[Slot(node)]);
    }
    if (low[Slot(node)] != order[Slot(node)]) return;
    const bool alone = stack.back() == node;
    for (Node member = kNoIndex; member != node;) {
      member = stack.back();
      stack.pop_back();
      open[Slot(member)] = false;
      if (!alone) component_[Slot(member)] = component_count_;
    }
    if (!alone) ++component_count_;
  };
  for (std::size_t start = 0; start < node_count(); ++start) {
    if (order[start] != 0) continue;
    enter(static_cast<Node>(start));
    while (!visits.empty()) {
      Visit& visit = visits.back();
      if (visit.next_edge == OutEnd(visit.node)) {
        leave();
        continue;
      }
      const Node from = visit.node;
      const Node to = edges_[visit.next_edge++].to;
      if (order[Slot(to)] == 0) {
        enter(to);
      } else if (open[Slot(to)]) {
        low[Slot(from)] = std::min(low[Slot(from)], order[Slot(to)]);
      }
    }
  }
}

}  // namespace ct
