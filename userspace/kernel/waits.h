// Tier 1: waits as they happen. Programs on the futex calls count every wait of each lock in the
// kernel; the long ones come through a ring buffer with registers and stack.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include <sys/types.h>

#include "base/clock.h"
#include "base/result.h"
#include "kernel/features.h"
#include "model/actor.h"
#include "model/contention.h"
#include "model/registers.h"

namespace ct {

// 32-bit words that are kept of a lock, and how many of them lie before its futex word: enough for
// what glibc and musl write into theirs.
inline constexpr std::size_t kLockWords = 24;
inline constexpr std::size_t kLockWordsBefore = 12;

// One futex word of one process.
struct LockKey {
  std::uint64_t space = 0;  // the kernel's identity of its memory; never to be shown
  std::uint64_t address = 0;
  pid_t pid = 0;
  auto operator<=>(const LockKey&) const = default;
};

struct Waker {
  pid_t tid = 0;
  pid_t pid = 0;
  std::string name;  // set for waits that travel for their length
};

struct WaitSample {
  ThreadId id;
  ThreadId leader;
  pid_t ns_tid = 0;
  pid_t ns_pid = 0;
  std::uint32_t pid_ns = 0;
  std::string name;
  std::string leader_name;
  LockKey lock;
  std::uint32_t command = 0;  // of futex(2), or ct_wait_command
  TimeNs begin = 0;           // 0: before the tracer came
  TimeNs end = 0;
  std::optional<Waker> waker;  // who let it go; unset: a timeout, a signal, its own end
  TimeNs woken_at = 0;
  bool sampled = false;  // shorter than asked for
  bool timed_out = false;
  bool restarted = false;    // a signal or a stop interrupted it meanwhile
  bool interrupted = false;  // and that ended it
  bool exited = false;       // its thread ended meanwhile
  // The words around the futex word, as the wait began.
  std::optional<std::array<std::uint32_t, kLockWords>> words;
  std::int64_t syscall = -1;
  std::array<std::uint64_t, 6> arguments{};
  bool has_registers = false;
  Registers registers;
  std::vector<std::byte> stack;  // from the stack pointer up

  [[nodiscard]] DurationNs duration() const { return end > begin ? end - begin : 0; }
};

struct LockCount {
  LockKey key;
  WaitTotals waits;
  HoldTotals holds;
  std::uint64_t by_waiters = 0;  // waits that were ended by one whose own last wait was for it
  // Whose wait somebody else ended last, and when it did; 0: nobody's.
  pid_t given_to = 0;
  TimeNs given_at = 0;
};
// Summed over all CPUs, since the start. produced = received + lost_ring, always.
struct WaitCounters {
  std::uint64_t calls = 0;        // futex calls seen, of whatever kind
  std::uint64_t followed = 0;     // of those, can block and are of a process that is looked at
  std::uint64_t waits = 0;        // that ended
  std::uint64_t refused = 0;      // the word had changed already (EAGAIN): no contention
  std::uint64_t restarted = 0;    // went on after a signal or a stop
  std::uint64_t produced = 0;     // records that were to travel
  std::uint64_t received = 0;     // of those, by us
  std::uint64_t late = 0;         // of those, after younger ones had been handed out
  std::uint64_t malformed = 0;    // of those, not understood: a mistake of ours
  std::uint64_t lost_ring = 0;    // of those, the ring buffer was full
  std::uint64_t lost_lock = 0;    // waits in no statistics: too many locks
  std::uint64_t lost_thread = 0;  // calls not followed: too many threads
  std::uint64_t lost_end = 0;     // waits whose end was not seen
  std::uint64_t lost_stack = 0;   // records without a stack
  std::uint64_t missed = 0;       // runs of a program that the kernel left out
};

// What being followed costs, measured on this machine; see WaitTracer::Calibrate.
struct WaitCosts {
  DurationNs futex_call = 0;  // of a futex call that does not sleep
  DurationNs other_call = 0;  // of any other system call of the host
  DurationNs dispatch = 0;    // of calling one program, besides what runs inside it
};

// What the programs have cost since they were loaded, while it was measured.
struct ProgramRuns {
  std::uint64_t runs = 0;
  DurationNs run_time = 0;
  // System calls of the whole host since MeasureRuns(true), where tracepoints make all of them
  // slower (WaitCosts::other_call).
  std::uint64_t system_calls = 0;
};

// Not thread-safe. While it lives its programs are attached; when it ends, or its process does,
// the kernel takes them off.
class WaitTracer {
 public:
  // Loads and attaches, in the plan's first way that this kernel lets it (20 to 60 ms). It is
  // paused: nothing is counted before Resume. kPermission, kUnsupported with one line a way.
  static Result<std::unique_ptr<WaitTracer>> Load(const WaitsPlan& plan);
  virtual ~WaitTracer() = default;

  [[nodiscard]] virtual AttachWay way() const = 0;
  // One line each, for the user; those of the plan not included.
  [[nodiscard]] virtual std::vector<std::string> degradations() const = 0;

  virtual void Resume() = 0;
  virtual void Pause() = 0;
  // Only these processes from now on; nullptr: all. Errors: too many of them (kUnsupported).
  virtual Status Select(const std::unordered_set<pid_t>* pids) = 0;
  // false: statistics only, no record travels.
  virtual void SetEvents(bool on) = 0;

  // Blocks until the ring buffer is half full or `timeout` has passed, and takes what is there.
  virtual Status Receive(DurationNs timeout) = 0;
  // What was received, in the order of the waits' ends; what ended so late that older records may
  // still come is kept back until the next call, unless `all`.
  virtual std::vector<WaitSample> Take(bool all) = 0;
  // Every lock that was waited for so far.
  virtual Result<std::vector<LockCount>> Locks() = 0;
  // Forgets a lock, to make room: of a process that has ended.
  virtual void Forget(const LockKey& key) = 0;
  virtual Result<WaitCounters> Counters() = 0;

  // From two timed loops of this thread, one before the programs were attached (about 2 ms each).
  // The tracer is paused before and after.
  [[nodiscard]] virtual const WaitCosts& costs() const = 0;
  // The kernel measures only between MeasureRuns(true) and MeasureRuns(false): it costs the
  // programs some 20 ns a run (BPF_ENABLE_STATS, Linux 5.8). False where it cannot.
  virtual bool MeasureRuns(bool on) = 0;
  [[nodiscard]] virtual ProgramRuns Runs() const = 0;
};

}  // namespace ct
