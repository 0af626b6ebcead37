// Deadlocks that could be: rings in the order in which locks are taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "graph/sighting_choice.h"
#include "model/finding.h"
#include "model/observation.h"

namespace ct {

struct OrderRing {
  std::vector<OrderStep> steps;  // from its lowest lock on, by identity
  // Two steps were seen of one thread only, but one of them is done by more threads than are kept.
  bool any_thread = false;
  std::size_t alike = 0;  // further rings, of other locks, at the same places
};

struct OrderRings {
  std::vector<OrderRing> rings;
  std::size_t more = 0;  // that were found, and are not among `rings`
  bool complete = true;  // false: the search was given up, and more rings may be there
};

// What makes two rings one mistake: a number for where a sighting's two locks were taken. 0: not
// known, so like no other.
using PlaceOfSighting = std::function<std::uint64_t(const LockOrderSighting&)>;

// Rings of any length in the lock orders of `process` of which all steps can be taken at one moment
// (SightingChoice). The shortest first; every pair of locks that is in any ring is in one of them,
// and each but the first has a pair that none before it has. What is found is the same whatever the
// order of the tables. Bounded: 0.1 s at most for 10,000 orders.
OrderRings FindOrderRings(const Observation& observation, ProcessIndex process,
                          const PlaceOfSighting& place);

}  // namespace ct
