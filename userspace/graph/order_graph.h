// The order in which one process takes its locks, as a graph.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/observation.h"

namespace ct {

// Locks are numbered by their identity, so that equal orders make equal graphs whatever the order
// of an observation's tables.
class OrderGraph {
 public:
  using Node = std::int32_t;
  struct Edge {
    Node from = kNoIndex;
    Node to = kNoIndex;
    LockOrderIndex order = kNoIndex;
  };

  // Of the orders of `process` that can be part of a deadlock: of two different locks that one
  // holder keeps from others, sighted. Others, and rows whose indices point nowhere, are left out.
  // O(n log n).
  OrderGraph(const Observation& observation, ProcessIndex process);

  [[nodiscard]] std::size_t node_count() const { return locks_.size(); }
  [[nodiscard]] ResourceIndex lock(Node node) const { return locks_[Slot(node)]; }
  // By (from, to); those from one node are next to each other.
  [[nodiscard]] const std::vector<Edge>& edges() const { return edges_; }
  // Indices of edges.
  [[nodiscard]] std::size_t OutBegin(Node node) const { return out_begin_[Slot(node)]; }
  [[nodiscard]] std::size_t OutEnd(Node node) const { return out_begin_[Slot(node) + 1]; }
  [[nodiscard]] std::span<const std::int32_t> In(Node node) const {
    return std::span(in_).subspan(in_begin_[Slot(node)],
                                  in_begin_[Slot(node) + 1] - in_begin_[Slot(node)]);
  }
  // The strongly connected part that a node is in; -1: alone, so in no ring.
  [[nodiscard]] std::int32_t ComponentOf(Node node) const { return component_[Slot(node)]; }
  [[nodiscard]] std::int32_t component_count() const { return component_count_; }

 private:
  static std::size_t Slot(std::int32_t index) { return static_cast<std::size_t>(index); }
  void FindComponents();

  std::vector<ResourceIndex> locks_;  // by node
  std::vector<Edge> edges_;
  std::vector<std::size_t> out_begin_;  // by node, and the end
  std::vector<std::size_t> in_begin_;
  std::vector<std::int32_t> in_;
  std::vector<std::int32_t> component_;  // by node
  std::int32_t component_count_ = 0;
};

// Who holds it keeps others out: a lock, a semaphore or pool of one unit. Pools of several count,
// too, as all their units may be with those who ask for the same; semaphores of several do not, as
// most are signals, which nobody holds.
bool KeepsOthersOut(const Resource& resource);

}  // namespace ct
