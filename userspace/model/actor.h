// Actors: who can wait and hold. A thread today, a runtime's task tomorrow.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include <sys/types.h>

#include "base/clock.h"
#include "model/frame.h"

namespace ct {

// A memory space (one mm of the kernel), numbered by the tracer in order of appearance: threads,
// vfork children and CLONE_VM processes that share memory have the same one. 0 = none (kernel
// thread). Never a kernel pointer, so that a snapshot leaks none.
using SpaceId = std::uint32_t;

// A thread or process for as long as it lives: a reused tid has another start time.
struct ThreadId {
  pid_t tid = 0;          // in the tracer's pid namespace
  TimeNs start_time = 0;  // task->start_time
  auto operator<=>(const ThreadId&) const = default;
};

enum class RunState : std::uint8_t {
  kUnknown,
  kRunning,          // on a CPU
  kRunnable,         // wants a CPU, has none
  kSleeping,         // interruptible
  kUninterruptible,  // D
  kStopped,          // SIGSTOP, job control
  kTraced,           // stopped by a debugger
  kFrozen,           // cgroup freezer
  kThrottled,        // its cgroup is out of CPU quota
  kExited,           // zombie or gone
};
// True for the states in which a thread does not run and only someone else can change that.
inline bool IsHeldBack(RunState state) {
  return state == RunState::kStopped || state == RunState::kTraced || state == RunState::kFrozen ||
         state == RunState::kThrottled;
}

struct Syscall {
  std::int32_t number = -1;  // -1: not in a system call
  std::string name;          // "futex", "epoll_wait"; empty with number -1
  std::string object;  // what it acts on: "socket 10.0.0.4:5432", "file /var/lib/x"; may be empty
  // When it ends by itself: a sleep's or a poll's timeout. Unset: no timeout, or not known.
  std::optional<TimeNs> deadline;
  bool operator==(const Syscall&) const = default;
};

// What a process does, for the reader who asked about a process in which nothing is wrong.
enum class Verdict : std::uint8_t {
  kUnknown,
  kSpinning,  // burns CPU in user space, no system calls seen between looks
  kBusy,      // some thread runs
  kBlocked,   // nobody runs and somebody waits for a lock
  kDeadlocked,
  kIdle,
};

struct Process {
  ThreadId id;               // of the thread group leader
  pid_t ns_pid = 0;          // as the process itself sees it (innermost pid namespace)
  std::uint32_t pid_ns = 0;  // inode of that namespace
  pid_t parent_pid = 0;
  SpaceId space = 0;
  std::string name;           // comm of the leader
  std::string executable;     // path as the target sees it; may be empty
  std::string cgroup;         // path below the cgroup root; may be empty
  std::string unit;           // systemd unit taken from the cgroup; may be empty
  std::string language;       // "c", "c++", "python 3.11", "java", ...; empty if unknown
  std::uint32_t threads = 0;  // live threads
  double cpu_percent = 0;     // of one CPU, over the interval
  Verdict verdict = Verdict::kUnknown;
  std::string verdict_detail;  // "on what": one phrase
  bool selected = false;       // named by the filter (everything is, without one)
  bool operator==(const Process&) const = default;
};

enum class ActorKind : std::uint8_t { kThread, kTask };

struct Actor {
  ActorKind kind = ActorKind::kThread;
  ThreadId id;             // a task: of the thread that runs its loop
  std::uint64_t task = 0;  // a task: its identity inside the process
  std::string name;        // comm, or the task's name
  std::string request;     // of a web service, for whom it works: "GET /orders/{id}"; else empty
  std::string client;      // who asked for that: "10.0.4.17"
  ProcessIndex process = kNoIndex;
  pid_t ns_tid = 0;
  RunState state = RunState::kUnknown;
  // Since when it has not run. With kSleeping this is the lower bound of every age.
  TimeNs off_cpu_since = 0;
  std::uint64_t switches = 0;  // voluntary + involuntary, at the interval's end
  bool still = false;          // slept, with equal switch counts, at both ends of the interval
  Syscall syscall;
  // A handler is installed for some catchable signal, or a timer is armed, in its process: then
  // "nobody else can wake it" is only true of well-behaved handlers.
  bool signal_may_interrupt = false;
  StackIndex user_stack = kNoIndex;
  StackIndex kernel_stack = kNoIndex;
  StackIndex created_at = kNoIndex;  // a task: the stack that made it, where that was recorded
  bool operator==(const Actor&) const = default;
};

}  // namespace ct
