// What probes on acquires and releases saw in an interval (tier 2): in which order locks are taken,
// holds that took long, and how much of a pool or semaphore was in use.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/actor.h"
#include "model/contention.h"
#include "model/edge.h"
#include "model/frame.h"

namespace ct {

using LockOrderIndex = std::int32_t;
using LongHoldIndex = std::int32_t;

// A thread that had one lock asked for another and was ready to wait for it.
struct LockOrderSighting {
  ThreadId thread;
  std::string thread_name;
  StackIndex held_at = kNoIndex;    // where it had taken the lock that it has
  StackIndex wanted_at = kNoIndex;  // where it asks for the other
  // Readers of a lock do not wait for each other.
  AccessMode held_mode = AccessMode::kExclusive;
  AccessMode wanted_mode = AccessMode::kExclusive;
  // What else it had: whoever has one of these keeps everybody else out who takes it first. Sorted.
  std::vector<ResourceIndex> guards;
  TimeNs at = 0;
  bool operator==(const LockOrderSighting&) const = default;
};

// One edge of the order in which the locks of a process are taken.
struct LockOrder {
  ResourceIndex held = kNoIndex;
  ResourceIndex wanted = kNoIndex;
  ProcessIndex process = kNoIndex;
  // Of different threads, or with different guards or modes.
  std::vector<LockOrderSighting> sightings;
  bool more_sightings = false;  // than are kept: any thread may do it
  bool operator==(const LockOrder&) const = default;
};

// A hold that has lasted as long as HoldActivity::long_hold.
struct LongHold {
  ResourceIndex resource = kNoIndex;
  ProcessIndex process = kNoIndex;
  ThreadId thread;
  std::string thread_name;
  AccessMode mode = AccessMode::kExclusive;
  Evidence evidence = Evidence::kUnknown;
  TimeNs since = 0;
  DurationNs duration = 0;  // so far, if it has not ended
  bool ended = false;
  StackIndex acquired_at = kNoIndex;
  StackIndex released_at = kNoIndex;  // ended: where it was let go
  bool operator==(const LongHold&) const = default;
};

// All holds of one lock, or of all units of a pool, that have ended.
struct ResourceHolds {
  ResourceIndex resource = kNoIndex;
  ProcessIndex process = kNoIndex;
  HoldTotals holds;
  std::uint64_t foreign_releases = 0;  // by a thread that was not seen to acquire
  bool operator==(const ResourceHolds&) const = default;
};

struct HoldActivity {
  TimeNs since = 0;          // from here to the observation's end; 0: no acquire was followed
  DurationNs long_hold = 0;  // from which length on a hold is in `long_holds`
  std::vector<LockOrder> orders;
  std::vector<LongHold> long_holds;
  std::vector<ResourceHolds> resources;
  bool operator==(const HoldActivity&) const = default;
};

}  // namespace ct
