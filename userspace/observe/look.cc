#include "observe/look.h"

#include <linux/futex.h>
#include <sys/syscall.h>

namespace ct {
namespace {

// Newer than the headers of Debian 12: arch/x86/entry/syscalls/syscall_64.tbl.
constexpr std::int64_t kFutexWaitv = 449;
constexpr std::int64_t kFutexWait = 455;

std::uint64_t NamespaceKey(std::uint32_t pid_ns, pid_t ns_tid) {
  return static_cast<std::uint64_t>(pid_ns) << 32 | static_cast<std::uint32_t>(ns_tid);
}

// In a plain wait without a timeout: who is woken from it must take the lock by itself, once it has
// a CPU again, and until then neither has it nor gives up.
bool IsPlainUntimedWait(const TaskSample& task) {
  if (task.syscall == kFutexWait) return task.arguments[4] == 0;
  if (task.syscall != SYS_futex || task.arguments[3] != 0) return false;
  const std::uint64_t command = task.arguments[1] & FUTEX_CMD_MASK;
  return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET;
}

}  // namespace

bool IsLockLike(const ThreadReading& reading) {
  return reading.read.wait && reading.read.wait->reading.purpose != WaitPurpose::kEvent;
}

const ThreadReading* ReadingOf(const RawLook& look, const TaskSample& task) {
  const auto process = look.readings.find(task.leader.tid);
  if (process == look.readings.end()) return nullptr;
  const auto thread = process->second.threads.find(task.id.tid);
  return thread == process->second.threads.end() ? nullptr : &thread->second;
}

SweepIndex::SweepIndex(const Sweep& sweep) {
  by_tid_.reserve(sweep.tasks.size());
  by_ns_tid_.reserve(sweep.tasks.size());
  by_any_ns_tid_.reserve(sweep.tasks.size());
  for (const TaskSample& task : sweep.tasks) {
    by_tid_.emplace(task.id.tid, &task);
    if (task.state == RunState::kExited) continue;
    by_ns_tid_.emplace(NamespaceKey(task.pid_ns, task.ns_tid), &task);
    by_any_ns_tid_.emplace(task.ns_tid, &task);
    if (task.space != 0) by_space_[task.space].push_back(&task);
  }
}

const TaskSample* SweepIndex::ByTid(pid_t tid) const {
  const auto found = by_tid_.find(tid);
  return found == by_tid_.end() ? nullptr : found->second;
}

const TaskSample* SweepIndex::ByNamespaceTid(std::uint32_t pid_ns, pid_t ns_tid) const {
  const auto found = by_ns_tid_.find(NamespaceKey(pid_ns, ns_tid));
  return found == by_ns_tid_.end() ? nullptr : found->second;
}

std::vector<const TaskSample*> SweepIndex::ByAnyNamespaceTid(pid_t ns_tid) const {
  std::vector<const TaskSample*> tasks;
  const auto [begin, end] = by_any_ns_tid_.equal_range(ns_tid);
  for (auto it = begin; it != end; ++it) tasks.push_back(it->second);
  return tasks;
}

const std::vector<const TaskSample*>& SweepIndex::OfSpace(std::uint64_t space) const {
  static const std::vector<const TaskSample*> kNone;
  const auto found = by_space_.find(space);
  return found == by_space_.end() ? kNone : found->second;
}

bool InFutexWait(const TaskSample& task) {
  if (!task.has_registers) return false;
  if (!task.asleep && (task.state != RunState::kRunnable || !IsPlainUntimedWait(task))) {
    return false;
  }
  switch (task.syscall) {
    case SYS_futex:
      switch (task.arguments[1] & FUTEX_CMD_MASK) {
        case FUTEX_WAIT:
        case FUTEX_WAIT_BITSET:
        case FUTEX_LOCK_PI:
        case 13:  // FUTEX_LOCK_PI2, since 5.14
        case FUTEX_WAIT_REQUEUE_PI:
          return true;
        default:
          return false;
      }
    case SYS_restart_syscall:  // an interrupted timed FUTEX_WAIT, among others
    case kFutexWait:
    case kFutexWaitv:
      return true;
    default:
      return false;
  }
}

std::optional<std::uint64_t> FutexWordOf(const TaskSample& task) {
  if (!InFutexWait(task) || task.syscall == kFutexWaitv) return std::nullopt;
  return task.arguments[0];
}

bool SameFutexCall(const TaskSample& a, const TaskSample& b) {
  if (!InFutexWait(a) || !InFutexWait(b) || a.arguments[0] != b.arguments[0]) return false;
  const auto command = [](const TaskSample& task) -> std::int64_t {
    // A restarted call keeps its arguments but not its number.
    const bool plain = task.syscall == SYS_futex || task.syscall == SYS_restart_syscall;
    return plain ? static_cast<std::int64_t>(task.arguments[1] & FUTEX_CMD_MASK) : -task.syscall;
  };
  // One that gives up by itself is another call than one that does not.
  const auto timed = [](const TaskSample& task) {
    return task.arguments[task.syscall == kFutexWait ? 4 : 3] != 0;
  };
  return command(a) == command(b) && timed(a) == timed(b);
}

bool IsAtSamePlace(const TaskSample& a, const TaskSample& b) {
  return SameFutexCall(a, b) && a.registers.pc() == b.registers.pc() &&
         a.registers.sp() == b.registers.sp();
}

bool DidNotRun(const TaskSample& first, const TaskSample& second) {
  const auto is_off_cpu = [](const TaskSample& task) {
    return task.asleep || task.state == RunState::kRunnable;
  };
  return first.id == second.id && is_off_cpu(first) && is_off_cpu(second) &&
         first.switches == second.switches;
}

bool SleptThrough(const TaskSample& first, const TaskSample& second) {
  return first.asleep && second.asleep && DidNotRun(first, second);
}

}  // namespace ct
