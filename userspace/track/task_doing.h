// Which task it is, and what it does, to compare by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/observation.h"

namespace ct {

// A task is the same for as long as there is one of its name at its address.
struct TaskKey {
  std::uint64_t task = 0;
  std::string name;
  auto operator<=>(const TaskKey&) const = default;
};

// By actor: a hash of its state, stack, the resource that it waits for and the deadline; equal for
// equal ones, in later observations too. 0 for what is no task.
std::vector<std::size_t> HashDoing(const Observation& observation);

}  // namespace ct
