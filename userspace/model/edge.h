// Edges of the wait-for graph, each with how it is known.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/resource.h"

namespace ct {

enum class Evidence : std::uint8_t {
  kUnknown,
  kProbable,  // inferred
  kCertain,   // read from the lock's own memory, with the waiter's frames in that lock's function
};

enum class AccessMode : std::uint8_t { kExclusive, kShared };

// What is known about a wait between the two ends of the observed interval.
enum class Continuity : std::uint8_t {
  kSeenOnce,   // at one end only, or the thread ran in between
  kContinued,  // waits for the same resource at both ends, may have woken in between
  kDidNotRun,  // was woken (by a signal, say), but had no CPU in between: it did nothing
  kStill,      // slept through: the same wait
};

// Idle is not contention: a worker parked on a condition variable waits, but for no lock.
enum class WaitPurpose : std::uint8_t {
  kAcquire,  // to get a lock, a semaphore unit, a pool member
  kEvent,    // for something to happen: condition, barrier, park, an empty queue's semaphore
  kJoin,     // for a thread to end
};

struct Wait {
  ActorIndex actor = kNoIndex;
  ResourceIndex resource = kNoIndex;
  AccessMode mode = AccessMode::kExclusive;
  WaitPurpose purpose = WaitPurpose::kEvent;
  Evidence evidence = Evidence::kUnknown;
  std::string evidence_note;  // how it is known: "owner word, frames in pthread_mutex_lock"
  Continuity continuity = Continuity::kSeenOnce;
  TimeNs since = 0;                  // began at or before this
  std::optional<TimeNs> not_before;  // set: began at or after this
  std::optional<TimeNs> deadline;    // set: the wait ends by itself then
  bool timed = false;                // has a timeout, even where the deadline could not be read
  bool private_futex = false;        // only its own memory space can wake it
  bool operator==(const Wait&) const = default;
};

struct Hold {
  ActorIndex actor = kNoIndex;
  ResourceIndex resource = kNoIndex;
  AccessMode mode = AccessMode::kExclusive;
  Evidence evidence = Evidence::kUnknown;
  std::string evidence_note;
  std::optional<TimeNs> since;  // unknown without tier 2
  // Unknown without tier 2; of a task's, from the frame on that is in the with-block.
  StackIndex acquired_at = kNoIndex;
  bool operator==(const Hold&) const = default;
};

}  // namespace ct
