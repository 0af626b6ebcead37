// From a raw look to an Observation: a pure step, so that what is concluded from two sweeps and a
// reading can be tested without a kernel.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "model/observation.h"
#include "observe/look.h"

namespace ct {

// A holder that kept a lock over a whole look: it did not run, so it cannot have released it.
struct Keeper {
  ThreadId id;
  std::uint64_t switches = 0;
  bool operator==(const Keeper&) const = default;
};

// A wait in one look, and what tells whether it is the one of the look before: its thread has not
// run in between, or has (a signal, a profiler) while the same keeper slept on.
struct WaitSighting {
  TimeNs since = 0;
  std::uint64_t switches_at_first = 0;  // of the waiter
  std::uint64_t switches_at_second = 0;
  std::optional<Keeper> keeper;  // unset for a timed wait: called again, it is another wait
};

// What observe/ remembers from one Look to the next.
class History {
 public:
  // A small number for a memory space, stable for as long as the tracer runs.
  SpaceId Space(std::uint64_t kernel_identity);
  // When this actor's wait for this resource began: the earliest moment reported for the same wait.
  TimeNs WaitSince(const ThreadId& actor, const ResourceId& resource, const WaitSighting& sighting);
  // Forgets waits that were not asked about since the last call.
  void Sweep();

 private:
  struct Seen {
    WaitSighting sighting;
    bool fresh = false;
  };
  std::unordered_map<std::uint64_t, SpaceId> spaces_;
  std::map<std::pair<ThreadId, ResourceId>, Seen> waits_;
};

struct BuildOptions {
  // Every thread of every selected process becomes an actor, not only those near a lock.
  bool all_threads = false;
  std::function<std::string(std::uint64_t)> kernel_symbol;  // name of a kernel address
};

// Actors: all threads of every memory space in which somebody waits for a lock or a join, their
// holders wherever they are, and with options.all_threads everybody selected. `realtime_offset`
// turns absolute timeouts on CLOCK_REALTIME into TimeNs.
Observation BuildObservation(const RawLook& look, const BuildOptions& options,
                             DurationNs realtime_offset, History& history);

}  // namespace ct
