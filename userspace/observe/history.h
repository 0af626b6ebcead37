// What observe/ remembers from one look to the next, so that names and ages stay.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "model/observation.h"

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

}  // namespace ct
