// How often a process's threads have switched, from /proc: what was read of a thread's structures
// while it slept through fits together. Works without BPF. Runs in the reader process.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <unordered_map>

#include <sys/types.h>

#include "runtimes/python.h"

namespace ct {

struct ThreadSwitch {
  pid_t tid = 0;
  pid_t ns_tid = 0;  // in its innermost pid namespace
  std::uint64_t switches = 0;
  bool asleep = false;
  std::optional<FutexSleep> futex;
  bool operator==(const ThreadSwitch&) const = default;
};
using ThreadSwitches = std::unordered_map<pid_t, ThreadSwitch>;  // by ns_tid

std::optional<ThreadSwitch> ReadThreadStatus(pid_t pid, pid_t tid);
// What /proc/PID/task/TID/status says; nullopt if that is not all there.
std::optional<ThreadSwitch> ParseThreadStatus(pid_t tid, std::istream& status);

// What /proc/PID/task/TID/syscall says of a thread that waits on a futex.
std::optional<FutexSleep> ParseFutexSleep(const std::string& line);

// Of all threads of a process; of none if it has more than 1024, to read which would take longer
// than what it is about.
ThreadSwitches ReadThreadSwitches(pid_t pid);

FutexCalls FutexCallsOf(const ThreadSwitches& threads);

// Fills in PythonThread::host_tid and asleep.
void NoteWhoSlept(const ThreadSwitches& before, const ThreadSwitches& after,
                  PythonProcess& process);

// Every loop that did not sleep is in the middle of the same iteration in both: it will not sleep
// soon.
bool AreInOneIteration(const PythonProcess& before, const PythonProcess& now);

// Every thread with an event loop slept.
bool HaveLoopsSlept(const PythonProcess& process);

}  // namespace ct
