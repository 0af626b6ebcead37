#include "reader/loop_reading.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>

#include <sys/syscall.h>

#include "base/clock.h"
#include "reader/thread_activity.h"
#include "reader/thread_switches.h"

namespace ct {
namespace {

// Who waits for the GIL wakes every 5 ms (DEFAULT_SWITCH_INTERVAL): one that runs without it may
// be asleep again at the next look.
void AwaitGilWait(pid_t pid, pid_t tid, const PythonThread& thread, PythonProcess& process) {
  constexpr int kTries = 3;
  constexpr useconds_t kPause = 300;
  const bool others_hold =
      std::any_of(process.gils.begin(), process.gils.end(),
                  [&](const PythonGil& gil) { return gil.held && gil.holder != thread.native_id; });
  for (int i = 0; i < kTries && others_hold && thread.activity->state == 'R'; ++i) {
    usleep(kPause);
    AddActivity(pid, tid, process);
  }
}

// Who sleeps in a futex waits for another thread: which of them had no CPU meanwhile?
void AddCpuUseOfOthers(pid_t pid, pid_t tid, PythonProcess& process) {
  constexpr std::size_t kMaxThreads = 64;
  const auto waiter =
      std::find_if(process.threads.begin(), process.threads.end(),
                   [&](const PythonThread& thread) { return thread.host_tid == tid; });
  if (waiter == process.threads.end() || process.threads.size() > kMaxThreads) return;
  if (!waiter->activity || waiter->activity->state == 'R' || waiter->activity->syscall < 0) return;
  // Ids inside of a pid namespace are others.
  const bool same_ids = waiter->host_tid == waiter->native_id;
  const ThreadSwitches ids = same_ids ? ThreadSwitches{} : ReadThreadSwitches(pid);
  for (PythonThread& thread : process.threads) {
    if (thread.activity) continue;
    const auto id = ids.find(thread.native_id);
    if (!same_ids && id == ids.end()) continue;
    thread.activity = ReadCpuUse(pid, same_ids ? thread.native_id : id->second.tid);
  }
}

bool InFutex(const PythonThread& thread) {
  return thread.activity && thread.activity->state == 'S' && thread.activity->syscall == SYS_futex;
}

// Which lock a loop's thread waits for, and who has it, takes more to be read than what it runs.
bool WaitsForALock(const PythonProcess& process) {
  return std::any_of(process.threads.begin(), process.threads.end(), [&](const auto& thread) {
    if (!InFutex(thread)) return false;
    const std::uint64_t word = thread.activity->arguments[0];
    return std::none_of(process.gils.begin(), process.gils.end(), [&](const PythonGil& gil) {
      return word >= gil.address && word - gil.address < gil.size;
    });
  });
}

}  // namespace

// At one instruction only if the process used a CPU meanwhile: one that was not let run stands,
// too. On a busy machine that takes some tries, and may not be found out.
void SeeWhetherItMoves(Target& target, int tries, PythonThread& thread) {
  constexpr useconds_t kPause = 1000;
  // include/linux/posix-timers.h: the CPU clock of another process, CPUCLOCK_SCHED.
  const auto clock = static_cast<clockid_t>(~static_cast<unsigned>(target.pid()) << 3 | 2);
  const auto used = [&] {
    timespec time{};
    clock_gettime(clock, &time);
    return time.tv_sec * kSecond + time.tv_nsec;
  };
  for (int i = 0; i < tries && !thread.moved && !thread.at_one_instruction; ++i) {
    if (i > 0) usleep(kPause);
    const DurationNs cpu = used();
    const TimeNs begin = MonotonicNow();
    if (StandsAtOneInstruction(target, thread)) {
      thread.at_one_instruction = used() - cpu > (MonotonicNow() - begin) / 2;
    } else {
      thread.moved = true;
    }
  }
}

Result<std::optional<PythonProcess>> ReadLoops(Target& target, const std::vector<pid_t>& threads,
                                               bool locks) {
  constexpr int kTriesToSeeItMove = 12;
  // Of two readings each: together less than ReaderOptions::patience.
  constexpr DurationNs kMostOfALook = 800 * kMillisecond;
  PythonOptions options;
  options.tasks = false;
  options.objects = false;
  options.time = kMostOfALook;
  Result<std::optional<PythonProcess>> process = ReadPython(target, options);
  if (!process || !*process) return process;
  for (const pid_t tid : threads) AddActivity(target.pid(), tid, **process);
  if (locks && WaitsForALock(**process)) {
    options.objects = true;
    options.futexes = FutexCallsOf(ReadThreadSwitches(target.pid()));
    process = ReadPython(target, options);
    if (!process || !*process) return process;
    for (const pid_t tid : threads) AddActivity(target.pid(), tid, **process);
  }
  for (PythonThread& thread : (*process)->threads) {
    if (!thread.activity) continue;
    AwaitGilWait(target.pid(), thread.host_tid, thread, **process);
    if (thread.activity->state == 'R') SeeWhetherItMoves(target, kTriesToSeeItMove, thread);
    thread.activity->read_at = MonotonicNow();
  }
  for (const pid_t tid : threads) AddCpuUseOfOthers(target.pid(), tid, **process);
  return process;
}

Result<std::optional<PythonProcess>> ReadWaitingThreads(Target& target) {
  const ThreadSwitches now = ReadThreadSwitches(target.pid());
  PythonOptions options;
  options.tasks = false;
  options.objects = false;
  options.futexes = FutexCallsOf(now);
  Result<std::optional<PythonProcess>> process = ReadPython(target, options);
  if (!process || !*process) return process;
  for (PythonThread& thread : (*process)->threads) {
    const auto found = now.find(thread.native_id);
    if (found != now.end()) thread.host_tid = found->second.tid;
  }
  return process;
}

}  // namespace ct
