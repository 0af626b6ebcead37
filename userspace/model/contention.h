// What was waited for in an interval: numbers for each lock, and who and where.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/actor.h"
#include "model/edge.h"
#include "model/frame.h"

namespace ct {

// Durations by powers of two: bucket i counts those of 2^(i+8) to 2^(i+9) ns; what is shorter is
// in the first, what is longer (over 9 minutes) in the last.
struct WaitHistogram {
  static constexpr std::size_t kBuckets = 32;
  static constexpr unsigned kFirstBit = 8;
  std::array<std::uint64_t, kBuckets> counts{};

  void Add(DurationNs duration);
  void Add(const WaitHistogram& other);
  [[nodiscard]] std::uint64_t count() const;
  // The duration below which `fraction` (0 to 1) of all are, within a bucket by interpolation:
  // wrong by less than a factor of two, but for the two open buckets. Never above `max`. 0 if
  // nothing was counted.
  [[nodiscard]] DurationNs Percentile(double fraction, DurationNs max) const;
  bool operator==(const WaitHistogram&) const = default;
};

// Of waits that have ended.
struct WaitTotals {
  std::uint64_t waits = 0;
  DurationNs total = 0;
  DurationNs max = 0;
  std::uint64_t timeouts = 0;
  WaitHistogram histogram;

  void Add(DurationNs duration, bool timed_out);
  void Add(const WaitTotals& other);
  // What came since `earlier`, of the same lock; max is of all time.
  [[nodiscard]] WaitTotals Since(const WaitTotals& earlier) const;
  [[nodiscard]] DurationNs average() const {
    return waits == 0 ? 0 : total / static_cast<DurationNs>(waits);
  }
  bool operator==(const WaitTotals&) const = default;
};

// From the moment a waiter was let go until it let the next one go. Probable: who takes the lock
// without having to wait for it is not seen, nor is who gives it back to nobody.
struct HoldTotals {
  std::uint64_t holds = 0;
  DurationNs total = 0;
  DurationNs max = 0;
  void Add(const HoldTotals& other);
  [[nodiscard]] DurationNs average() const {
    return holds == 0 ? 0 : total / static_cast<DurationNs>(holds);
  }
  bool operator==(const HoldTotals&) const = default;
};

// The long waits (see Contention::min_wait) of one stack.
struct WaitingStack {
  StackIndex stack = kNoIndex;
  std::uint64_t waits = 0;
  DurationNs total = 0;
  DurationNs max = 0;
  bool operator==(const WaitingStack&) const = default;
};

// The long waits of one thread.
struct WaitingThread {
  ThreadId id;
  std::string name;
  std::uint64_t waits = 0;
  DurationNs total = 0;
  DurationNs max = 0;
  bool operator==(const WaitingThread&) const = default;
};

// A thread on the other side of long waits: who ended them, or who had the lock as they began.
struct Counterpart {
  pid_t tid = 0;
  pid_t pid = 0;
  std::string name;
  std::uint64_t waits = 0;
  DurationNs total = 0;  // of those waits
  bool operator==(const Counterpart&) const = default;
};

struct LockContention {
  ResourceIndex resource = kNoIndex;
  ProcessIndex process = kNoIndex;  // of its waiters
  WaitPurpose purpose = WaitPurpose::kEvent;
  bool purpose_known = false;  // false: no wait of it could be read
  WaitTotals waits;
  HoldTotals holds;
  std::uint32_t waiters = 0;  // at the interval's end
  DurationNs waiting = 0;     // what they have waited so far, since the counting began
  // By the time waited, most first; at most 16 stacks.
  std::vector<WaitingStack> stacks;
  std::vector<WaitingThread> threads;
  std::vector<Counterpart> releasers;
  std::vector<Counterpart> holders;  // whom the lock's memory named, where it names anybody
  bool operator==(const LockContention&) const = default;
};

// A thread that waited for a GIL. A wait lasts until the thread has the GIL, however often its
// futex call timed out and began again meanwhile.
struct GilWaiter {
  ThreadId id;
  std::string name;
  std::uint64_t waits = 0;
  DurationNs total = 0;
  DurationNs max = 0;
  StackIndex stack = kNoIndex;  // where it was seen waiting most often; none: it never was
  bool operator==(const GilWaiter&) const = default;
};

// Code of one thread that had a GIL when it was looked at.
struct GilHolder {
  ThreadId id;
  std::string name;
  StackIndex stack = kNoIndex;
  bool collecting = false;  // it collected garbage
  std::uint32_t looks = 0;
  bool operator==(const GilHolder&) const = default;
};

// A part of the interval.
struct GilSlice {
  TimeNs begin = 0;
  DurationNs length = 0;
  DurationNs waited = 0;           // by all threads together
  std::uint32_t looks = 0;         // at who has it
  std::uint32_t contended = 0;     // of them, somebody waited for it
  std::int32_t holder = kNoIndex;  // in GilContention::holders: who had it in most looks
  std::uint32_t holder_looks = 0;  // in how many
  bool operator==(const GilSlice&) const = default;
};

// Who waited for the GIL of one interpreter, and who had it meanwhile.
struct GilContention {
  ResourceIndex resource = kNoIndex;
  ProcessIndex process = kNoIndex;
  std::vector<GilWaiter> waiters;  // by the time waited, most first
  std::vector<GilHolder> holders;  // by looks, most first
  std::vector<GilSlice> slices;    // in the order of time, without gaps
  bool operator==(const GilContention&) const = default;
};

struct Contention {
  TimeNs since = 0;         // counted from here to the observation's end; 0: nothing was counted
  DurationNs min_wait = 0;  // from which length on a wait is long: who and where is known of those
  std::vector<LockContention> locks;  // by the time waited, most first
  std::vector<GilContention> gils;    // of GILs that were looked at
  bool operator==(const Contention&) const = default;
};

}  // namespace ct
