#include "kernel/task_sample.h"

#include <algorithm>
#include <cstring>

namespace ct {
namespace {

// include/linux/sched.h
constexpr std::uint32_t kTaskInterruptible = 0x0001;
constexpr std::uint32_t kTaskUninterruptible = 0x0002;
constexpr std::uint32_t kTaskStopped = 0x0004;
constexpr std::uint32_t kTaskTraced = 0x0008;
// x86-64 user addresses have 47 bits; orig_ax of a thread outside a system call is -1.
constexpr std::uint64_t kMaxSyscall = 1'000'000;

RunState StateOf(const ct_task_record& record) {
  if (record.flags & CT_TASK_EXITING) return RunState::kExited;
  if (record.state & kTaskTraced) return RunState::kTraced;
  if (record.state & kTaskStopped) return RunState::kStopped;
  if (record.flags & CT_TASK_FROZEN) return RunState::kFrozen;
  if (record.flags & CT_TASK_ON_CPU) return RunState::kRunning;
  if (record.state & kTaskUninterruptible) return RunState::kUninterruptible;
  if (record.state & kTaskInterruptible) return RunState::kSleeping;
  if (record.flags & CT_TASK_THROTTLED) return RunState::kThrottled;
  return RunState::kRunnable;
}

std::string CommOf(const char (&comm)[CT_COMM_LENGTH]) {
  return std::string(comm, strnlen(comm, sizeof(comm)));
}

}  // namespace

TaskSample ParseTask(const ct_task_record& record) {
  TaskSample task;
  task.id = {static_cast<pid_t>(record.tid), static_cast<TimeNs>(record.start_time)};
  task.leader = {static_cast<pid_t>(record.tgid), static_cast<TimeNs>(record.leader_start_time)};
  task.ns_tid = static_cast<pid_t>(record.ns_tid);
  task.ns_tgid = static_cast<pid_t>(record.ns_tgid);
  task.pid_ns = record.pid_ns;
  task.parent_pid = static_cast<pid_t>(record.parent_tgid);
  task.space = record.space;
  task.space_users = record.space_users;
  task.group_threads = record.group_threads;
  task.state = StateOf(record);
  task.asleep = !(record.flags & (CT_TASK_ON_CPU | CT_TASK_ON_RQ)) &&
                task.state != RunState::kExited && task.state != RunState::kThrottled;
  task.compat = record.flags & CT_TASK_COMPAT;
  task.switches = record.voluntary_switches + record.involuntary_switches;
  task.off_cpu_since = static_cast<TimeNs>(record.off_cpu_since);
  task.cpu_time = static_cast<DurationNs>(record.cpu_time);
  task.has_registers = record.flags & CT_TASK_REGISTERS;
  if (task.has_registers) {
    task.syscall = record.syscall < kMaxSyscall ? static_cast<std::int64_t>(record.syscall) : -1;
    std::copy(std::begin(record.arguments), std::end(record.arguments), task.arguments.begin());
    std::copy(std::begin(record.registers), std::end(record.registers),
              task.registers.dwarf.begin());
    task.registers.thread_pointer = record.thread_pointer;
  }
  task.comm = CommOf(record.comm);
  task.leader_comm = CommOf(record.leader_comm);
  return task;
}

StillSample ParseStill(const ct_still_record& record) {
  return {static_cast<pid_t>(record.tid), record.switches,
          static_cast<TimeNs>(record.off_cpu_since)};
}

}  // namespace ct
