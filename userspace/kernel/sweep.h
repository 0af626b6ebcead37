// The sweep: every thread of the host in one pass, with no probe attached to anything.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "kernel/features.h"
#include "model/actor.h"
#include "model/registers.h"

namespace ct {

// A thread as one sweep saw it. Times are on CLOCK_MONOTONIC.
struct TaskSample {
  ThreadId id;
  ThreadId leader;  // tgid and its start
  pid_t ns_tid = 0;
  pid_t ns_tgid = 0;
  std::uint32_t pid_ns = 0;
  pid_t parent_pid = 0;
  std::uint64_t space = 0;  // the kernel's identity of its memory; 0 = none. Never to be shown.
  std::uint32_t space_users = 0;    // who could touch that memory: threads of all sharing processes
  std::uint32_t group_threads = 0;  // of its process
  RunState state = RunState::kUnknown;
  bool asleep = false;         // off the run queue: it does not run and has not been woken
  bool compat = false;         // 32-bit: no registers
  std::uint64_t switches = 0;  // voluntary + involuntary
  TimeNs off_cpu_since = 0;
  DurationNs cpu_time = 0;
  bool has_registers = false;
  std::int64_t syscall = -1;
  std::array<std::uint64_t, 6> arguments{};
  Registers registers;
  std::string comm;
  std::string leader_comm;
  std::vector<std::uint64_t> kernel_stack;  // innermost first; only where asked for
};

// A thread that an earlier sweep of the same Sweeper reported in full and that still sleeps.
struct StillSample {
  pid_t tid = 0;
  std::uint64_t switches = 0;
  TimeNs off_cpu_since = 0;
};

struct Sweep {
  TimeNs begin = 0;
  TimeNs end = 0;
  std::vector<TaskSample> tasks;
  std::vector<StillSample> still;
  std::uint64_t visited = 0;  // user threads looked at
  bool walked = false;        // by the cheaper program; see kernel/walk.h
};

// A thread to be reported whatever its state.
struct WantedThread {
  pid_t tid = 0;
  bool kernel_stack = false;
};

class Sweeper {
 public:
  // Loads the BPF side (about 25 ms, and 30 more for the walk). Errors: kPermission, kUnsupported
  // with the verifier's words.
  static Result<std::unique_ptr<Sweeper>> Load(const SweepPlan& plan);
  virtual ~Sweeper() = default;

  // A sample of every user thread, and kernel stacks of the wanted ones.
  virtual Result<Sweep> Full(const std::vector<WantedThread>& wanted) = 0;
  // Cheap, for a loop: a full sample of a thread once per sleep, at the first sweep that finds it
  // off CPU for longer than `settle`; after that a StillSample at each sweep for as long as it
  // sleeps on. Threads that ran within `settle` are left out unless wanted. A thread reported in a
  // StillSample that the caller does not know (it can happen when clocks drift) is to be asked for
  // in the next call's `wanted`.
  virtual Result<Sweep> Steady(DurationNs settle, const std::vector<WantedThread>& wanted) = 0;

  // What the plan promised and the kernel did not keep, one line each, for the user.
  [[nodiscard]] virtual std::vector<std::string> degradations() const { return {}; }
};

}  // namespace ct
