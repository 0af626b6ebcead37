// What each task does, as a number to compare by.
#pragma once

#include <cstddef>
#include <vector>

#include "model/observation.h"

namespace ct {

// By actor: a hash of its state, stack, the resource that it waits for and the deadline; equal for
// equal ones, in later observations too. 0 for what is no task.
std::vector<std::size_t> HashDoing(const Observation& observation);

}  // namespace ct
