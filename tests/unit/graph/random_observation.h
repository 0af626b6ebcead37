// Observations made by chance, for property tests: equal seeds, equal observations.
#pragma once

#include <cstdint>

#include "model/observation.h"

namespace ct::testing {

// One to ten actors, most of them waiting, with every kind of rule, evidence and continuity, dense
// enough that a third of them has somebody stuck.
Observation RandomObservation(std::uint32_t seed);

// The same, with indices that point anywhere and edges that contradict each other.
Observation MalformedObservation(std::uint32_t seed);

}  // namespace ct::testing
