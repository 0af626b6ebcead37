// Holder by holder from a waiter to the actor, or the unknown, that all of it waits for.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "graph/wait_graph.h"
#include "model/finding.h"

namespace ct {

// Where chains end. One of the two is set: an actor that waits for nobody who is known (it runs,
// sleeps, is held back, waits for an event), the lowest actor of a cycle, or one where the caller
// wanted to stop; or a lock, semaphore or pool nobody known holds.
struct Root {
  ActorIndex actor = kNoIndex;
  ResourceIndex resource = kNoIndex;
  auto operator<=>(const Root&) const = default;
};

struct Chain {
  std::vector<RingStep> steps;  // the last one's held_by_next is kNoIndex with an unknown holder
  Root root;
  Evidence evidence = Evidence::kUnknown;  // of the weakest edge
};

// Of several holders the chain takes one: known best, then longest, then the lowest index.
class RootFinder {
 public:
  // `graph` must outlive it. Chains end at actors for which `stop_at` (by actor, may be empty) is
  // true. O(actors + resources + edges) for all roots together.
  RootFinder(const WaitGraph& graph, const std::vector<bool>& stop_at);

  // `actor` must be in range. With no wait to follow it is its own root.
  [[nodiscard]] Root RootOf(ActorIndex actor) const { return roots_[Slot(actor)]; }
  // Costs the chain's length; a cycle is followed to its root only.
  [[nodiscard]] Chain ChainFrom(ActorIndex actor) const;

 private:
  struct Next {
    RingStep step;  // wait is kNoIndex: the chain ends here
    ActorIndex actor = kNoIndex;
  };

  static std::size_t Slot(std::int32_t index) { return static_cast<std::size_t>(index); }
  [[nodiscard]] HoldIndex BestHold(ResourceIndex resource) const;
  [[nodiscard]] Next NextOf(ActorIndex actor) const;
  [[nodiscard]] Root RootOfCycle(ActorIndex inside) const;
  void FindRoots();

  const WaitGraph* graph_;
  std::vector<HoldIndex> best_hold_;  // by resource
  std::vector<Next> next_;            // by actor
  std::vector<Root> roots_;           // by actor
};

}  // namespace ct
