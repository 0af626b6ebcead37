// From a raw look to an Observation: a pure step, so that what is concluded from two sweeps and a
// reading can be tested without a kernel.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "model/observation.h"
#include "observe/history.h"
#include "observe/look.h"

namespace ct {

struct BuildOptions {
  // Every thread of every selected process becomes an actor, not only those near a lock.
  bool all_threads = false;
  // From which age of a wait on its probable holder is told by who was let go last.
  DurationNs long_wait = kSecond;
  std::function<std::string(std::uint64_t)> kernel_symbol;  // name of a kernel address
};

// Actors: all threads of every memory space in which somebody waits for a lock or a join, their
// holders wherever they are, and with options.all_threads everybody selected. `realtime_offset`
// turns absolute timeouts on CLOCK_REALTIME into TimeNs.
Observation BuildObservation(const RawLook& look, const BuildOptions& options,
                             DurationNs realtime_offset, History& history);

}  // namespace ct
