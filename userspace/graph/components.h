// Strongly connected components of the believed edges among stuck actors and their resources.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/stuck_set.h"

namespace ct {

struct Components {
  std::vector<std::int32_t> of;                 // by actor, then by resource; negative: in no cycle
  std::vector<std::vector<ActorIndex>> actors;  // by component, ascending
};

// Components of one node have no cycle and are left out. Resources are nodes of their own, so that
// a pool with many holders and many waiters costs their sum, not their product.
Components FindComponents(const WaitGraph& graph, const StuckSet& stuck);

}  // namespace ct
