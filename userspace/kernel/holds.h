// Tier 2: holds as they begin and end, by uprobes on the functions that acquire and release. The
// kernel keeps what each thread has; only what is new or long comes through the ring buffer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/clock.h"
#include "base/result.h"
#include "kernel/features.h"
#include "model/actor.h"
#include "model/contention.h"
#include "model/hold_probe.h"
#include "model/registers.h"
#include "model/task_probe.h"

namespace ct {

// Of a probe that is, or was, armed. Small and dense: 0, 1, 2...
using ProbeId = std::uint32_t;

// Where a thread was as it called: enough of its stack to unwind until frames are reached that are
// still there later.
struct CallPlace {
  Registers registers;           // as the call's first instruction sees them
  std::vector<std::byte> stack;  // from registers.sp() up; may be empty
  // The innermost Python frames, of semaphores that Python code may have called; see SetPython.
  std::vector<CodePoint> python;
};

// One thing that a thread has, or asks for.
struct HeldObject {
  std::uint64_t address = 0;
  ProbeId probe = 0;            // of the acquire
  std::uint32_t family = 0;     // of that probe, as HoldKey has it
  TimeNs asked = 0;             // when it was called
  TimeNs since = 0;             // at or before this it had it; 0 with `asking`
  bool asking = false;          // the call has not been seen to succeed or fail
  bool contended = false;       // somebody had it when the call began
  bool tried = false;           // by an acquire that never waits
  bool again = false;           // a mutex that a condition's wait lets go of and takes again
  bool since_is_bound = false;  // it may have had it longer: `since` is when that was seen first
  std::uint32_t count = 1;      // of a recursive lock
  std::uint64_t unit = 0;       // of a pool: what the acquire returned
  std::optional<CallPlace> place;
};

struct ThreadHolds {
  pid_t tid = 0;
  pid_t pid = 0;
  pid_t ns_tid = 0;
  std::uint64_t space = 0;  // the kernel's identity of its memory; never to be shown
  std::vector<HeldObject> held;
};

// A pool begins with its mutex, at the same address: the family of their probes tells them apart.
struct HoldKey {
  std::uint64_t space = 0;
  std::uint64_t address = 0;
  pid_t pid = 0;
  std::uint32_t family = 0;
  auto operator<=>(const HoldKey&) const = default;
};

// What was counted of one lock, semaphore or pool since its first acquire that was seen.
struct HoldCount {
  HoldKey key;
  ProbeId probe = 0;  // of its first acquire
  HoldTotals holds;   // that ended; of a thread that was seen to acquire
  TimeNs last_release = 0;
  std::int64_t in_use = 0;  // units: acquired and not released, as far as was seen
  std::int64_t high_water = 0;
  std::uint64_t foreign_releases = 0;  // by a thread that did not have it
  std::uint64_t exits = 0;             // units of threads that ended with them
  // Of semaphores: when one was made or destroyed at this address last (0: never seen), and how
  // many holds have ended since. What was acquired before is of another one.
  TimeNs made = 0;
  std::uint32_t uses = 0;
};

enum class HoldEventKind : std::uint8_t {
  kOrder,     // a thread that has `held` asks for `wanted` for the first time, or with new guards
  kLongHold,  // `held` was let go after a long time
  kEnded,     // `wanted` (an address) was destroyed, or made anew: it is another lock from now on
};

struct HoldEvent {
  HoldEventKind kind = HoldEventKind::kOrder;
  ThreadId id;
  ThreadId leader;
  pid_t ns_tid = 0;
  std::string name;
  std::uint64_t space = 0;
  TimeNs at = 0;
  HeldObject held;
  std::uint64_t wanted = 0;
  ProbeId wanted_probe = 0;
  std::vector<std::uint64_t> guards;  // kOrder: addresses of what else it has
  // Where the thread is now: registers, and up to 16 KiB of stack.
  CallPlace now;
};

// Summed up over all CPUs. produced = received + lost_ring, always.
struct HoldCounters {
  std::uint64_t produced = 0;
  std::uint64_t received = 0;
  std::uint64_t malformed = 0;    // of those, not understood: a mistake of ours
  std::uint64_t lost_ring = 0;    // the ring buffer was full; what is lost comes again if it recurs
  std::uint64_t lost_thread = 0;  // calls not followed: too many threads
  std::uint64_t lost_held = 0;    // acquires not followed: the thread has too many
  std::uint64_t lost_lock = 0;    // acquires in no statistics: too many locks
  std::uint64_t lost_edge = 0;    // orders not remembered: too many
  std::uint64_t lost_unit = 0;    // units of pools not remembered: too many
  std::uint64_t unknown_releases = 0;  // by threads that were not seen to acquire anything
  std::uint64_t missed = 0;            // runs of a program that the kernel left out
};

// What one hit costs the thread that makes it, measured on this machine at load.
struct HoldCosts {
  DurationNs emulated = 0;
  DurationNs single_stepped = 0;
};

// Calls of one probe so far.
struct ProbeHits {
  std::uint64_t entries = 0;
  std::uint64_t returns = 0;
};

// Not thread-safe. While it lives its probes are armed; when it ends, or its process does, the
// kernel takes them off.
class HoldTracer {
 public:
  static constexpr std::size_t kMaxProbes = 4096;

  // Loads; nothing is armed. 30 ms. kPermission, kUnsupported with one line.
  static Result<std::unique_ptr<HoldTracer>> Load(const HoldsPlan& plan);
  virtual ~HoldTracer() = default;

  [[nodiscard]] virtual const HoldCosts& costs() const = 0;

  // Arms one probe of a process. The file is opened by the mapping that the site names, never by
  // its path. Errors with one line; kNotFound if the process has ended.
  virtual Result<ProbeId> Arm(pid_t pid, const HoldProbe& probe) = 0;
  // Takes them off: what was acquired through them is forgotten, as its release is not seen.
  virtual void Disarm(const std::vector<ProbeId>& probes) = 0;
  // Where Python frames of this process are, for the probes on semaphores (CPython's locks) that
  // are armed from now on, until Forget. kMalformed: it cannot be.
  virtual Status SetPython(pid_t pid, const FrameProbe& probe) = 0;
  [[nodiscard]] virtual const HoldProbe& Probe(ProbeId id) const = 0;
  // By ProbeId.
  virtual Result<std::vector<ProbeHits>> Hits() = 0;
  // Everything of a process: it has ended, or is no longer asked about.
  virtual void Forget(pid_t pid) = 0;

  // Takes what has come: of much, a part.
  virtual Status Receive() = 0;
  // What was received since, in the order of time.
  virtual std::vector<HoldEvent> Take() = 0;
  // Forgets the orders that locks at these addresses are part of: those of their successors come
  // anew. It looks through all orders.
  virtual void ForgetOrders(std::span<const HoldKey> locks) = 0;

  virtual Result<std::vector<ThreadHolds>> Threads() = 0;
  // Of each lock one; a deque, for they may be many, and room that grows by doubling is dear.
  virtual Result<std::deque<HoldCount>> Counts() = 0;
  virtual Result<HoldCounters> Counters() = 0;
};

}  // namespace ct
