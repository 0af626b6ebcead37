#include "reader/thread_activity.h"

#include <cstdio>
#include <fstream>

#include <fmt/format.h>

#include "reader/process_facts.h"
#include "reader/thread_switches.h"

namespace ct {
namespace {

std::string ReadLine(pid_t pid, pid_t tid, const char* name) {
  std::string line;
  std::getline(std::ifstream(fmt::format("/proc/{}/task/{}/{}", pid, tid, name)), line);
  return line;
}

}  // namespace

void ParseStat(const std::string& line, ThreadActivity& activity) {
  // "4242 (a name, with anything in it) S 1 ..."
  const auto name_end = line.rfind(')');
  if (name_end != std::string::npos && name_end + 2 < line.size()) {
    activity.state = line[name_end + 2];
  }
}

void ParseSyscall(const std::string& line, ThreadActivity& activity) {
  // "202 0x7f.. 0x80 0x0 0x0 0x0 0x0 0x7ffe.. 0x7f.."; "running"; "-1 0x7ffe.. 0x7f.."
  long long number = -1;
  std::array<unsigned long long, 6> arguments{};
  if (sscanf(line.c_str(), "%lld %llx %llx %llx %llx %llx %llx", &number, &arguments[0],
             &arguments[1], &arguments[2], &arguments[3], &arguments[4], &arguments[5]) != 7) {
    return;
  }
  activity.syscall = number;
  for (std::size_t i = 0; i < arguments.size(); ++i) activity.arguments[i] = arguments[i];
}

void ParseSchedstat(const std::string& line, ThreadActivity& activity) {
  long long cpu = 0;
  long long queued = 0;
  if (sscanf(line.c_str(), "%lld %lld", &cpu, &queued) != 2) return;
  activity.cpu = cpu;
  activity.queued = queued;
}

ThreadActivity ReadCpuUse(pid_t pid, pid_t tid) {
  ThreadActivity activity;
  ParseStat(ReadLine(pid, tid, "stat"), activity);
  ParseSchedstat(ReadLine(pid, tid, "schedstat"), activity);
  return activity;
}

void AddActivity(pid_t pid, pid_t tid, PythonProcess& process) {
  ThreadActivity activity;
  const std::string call = ReadLine(pid, tid, "syscall");
  ParseSyscall(call, activity);
  ParseStat(ReadLine(pid, tid, "stat"), activity);
  // Who ran when he was asked where he sleeps has fallen asleep since.
  if (call == "running" && activity.state != 0) activity.state = 'R';
  ParseSchedstat(ReadLine(pid, tid, "schedstat"), activity);
  if (activity.state != 'R') {
    activity.object = DescribeSyscallObject(pid, activity.syscall, activity.arguments);
  } else {
    activity.syscall = -1;
  }
  const auto status = ReadThreadStatus(pid, tid);
  if (!status) return;
  for (PythonThread& thread : process.threads) {
    if (thread.native_id != status->ns_tid) continue;
    thread.host_tid = tid;
    thread.activity = activity;
  }
}

}  // namespace ct
