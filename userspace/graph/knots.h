// Knots: actors of a stuck set that cannot go on because of each other, as against those that
// merely wait behind.
#pragma once

#include <vector>

#include "graph/stuck_set.h"
#include "model/finding.h"

namespace ct {

struct Knot {
  std::vector<ActorIndex> members;  // those of the ring in its order, then the others ascending
  // One shortest cycle (of a knot too large to search: a short one), from its lowest actor on.
  std::vector<RingStep> ring;
};

// The strongly connected parts of `stuck` that would stay stuck if everybody else could go on, each
// once, disjoint. O(actors + resources + edges) for knots that do not hang on each other.
std::vector<Knot> FindKnots(const WaitGraph& graph, const StuckSet& stuck);

}  // namespace ct
