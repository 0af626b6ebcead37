// What a thread is doing, from /proc: whether it runs, in which system call it sleeps, and what CPU
// time it has had. Works without BPF. Runs in the reader process.
#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

#include "runtimes/python_process.h"

namespace ct {

// Of /proc/PID/task/TID/stat, syscall and schedstat. A file that says something else leaves its
// fields as they are.
void ParseStat(const std::string& line, ThreadActivity& activity);
void ParseSyscall(const std::string& line, ThreadActivity& activity);
void ParseSchedstat(const std::string& line, ThreadActivity& activity);

// Of what a thread does only its state and its CPU time; as of now.
ThreadActivity ReadCpuUse(pid_t pid, pid_t tid);

// Fills in PythonThread::host_tid and activity of the one that is `tid` outside.
void AddActivity(pid_t pid, pid_t tid, PythonProcess& process);

}  // namespace ct
