#include "reader/thread_switches.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include <linux/futex.h>
#include <sys/syscall.h>

namespace ct {
namespace {

constexpr std::size_t kMaxThreads = 1024;

// The last number of a line: of "NSpid: 4242 7" the innermost namespace's.
std::optional<std::uint64_t> LastNumber(std::string_view line) {
  line.remove_prefix(line.find_last_of(" \t") + 1);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (error != std::errc()) return std::nullopt;
  return number;
}

}  // namespace

std::optional<ThreadSwitch> ParseThreadStatus(pid_t tid, std::istream& status) {
  ThreadSwitch thread;
  thread.tid = tid;
  int known = 0;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("State:")) {
      ++known;
      thread.asleep = line.find("R (running)") == std::string::npos;
    }
    const auto number = LastNumber(line);
    if (!number) continue;
    if (line.starts_with("NSpid:")) {
      ++known;
      thread.ns_tid = static_cast<pid_t>(*number);
    }
    // Voluntary and not.
    if (line.find("voluntary_ctxt_switches:") != std::string::npos) {
      ++known;
      thread.switches += *number;
    }
  }
  return known == 4 ? std::optional(thread) : std::nullopt;
}

// "202 0x7f... 0x189 0x0 0x0 0x0 0xffffffff 0xSP 0xPC": the call's number and its arguments.
std::optional<FutexSleep> ParseFutexSleep(const std::string& line) {
  std::istringstream words(line);
  long number = -1;
  std::array<std::uint64_t, 4> arguments{};
  words >> number;
  for (std::uint64_t& argument : arguments) {
    std::string word;
    words >> word;
    if (!word.starts_with("0x")) return std::nullopt;
    const auto [end, error] =
        std::from_chars(word.data() + 2, word.data() + word.size(), argument, 16);
    if (error != std::errc()) return std::nullopt;
  }
  // One with a timeout that was interrupted goes on as a call of its own, with its old arguments.
  if (number != SYS_futex && number != SYS_restart_syscall) return std::nullopt;
  const auto operation = static_cast<int>(arguments[1]);
  const int command = operation & FUTEX_CMD_MASK;
  if (command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET) return std::nullopt;
  FutexSleep call;
  call.word = arguments[0];
  call.timeout_at = arguments[3];
  // A plain wait is for a time, not until one.
  call.monotonic = command == FUTEX_WAIT_BITSET && (operation & FUTEX_CLOCK_REALTIME) == 0;
  return call;
}

FutexCalls FutexCallsOf(const ThreadSwitches& threads) {
  FutexCalls calls;
  for (const auto& [native_id, thread] : threads) {
    if (thread.futex) calls.emplace(native_id, *thread.futex);
  }
  return calls;
}

std::optional<ThreadSwitch> ReadThreadStatus(pid_t pid, pid_t tid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/status");
  return ParseThreadStatus(tid, status);
}

ThreadSwitches ReadThreadSwitches(pid_t pid) {
  namespace fs = std::filesystem;
  ThreadSwitches threads;
  std::error_code error;
  const fs::path tasks = "/proc/" + std::to_string(pid) + "/task";
  for (fs::directory_iterator task(tasks, error), end; !error && task != end;
       task.increment(error)) {
    if (threads.size() >= kMaxThreads) return {};
    const auto tid = LastNumber(task->path().filename().native());
    auto thread = tid ? ReadThreadStatus(pid, static_cast<pid_t>(*tid)) : std::nullopt;
    if (!thread) continue;
    std::ifstream syscall(task->path() / "syscall");
    std::string line;
    if (std::getline(syscall, line)) thread->futex = ParseFutexSleep(line);
    threads.emplace(thread->ns_tid, *thread);
  }
  return threads;
}

void NoteWhoSlept(const ThreadSwitches& before, const ThreadSwitches& after,
                  PythonProcess& process) {
  for (PythonThread& thread : process.threads) {
    const auto then = before.find(thread.native_id);
    const auto now = after.find(thread.native_id);
    if (then == before.end() || now == after.end()) continue;
    thread.host_tid = now->second.tid;
    thread.switches = now->second.switches;
    thread.asleep = now->second.asleep && then->second == now->second;
  }
}

bool AreInOneIteration(const PythonProcess& before, const PythonProcess& now) {
  return std::all_of(now.threads.begin(), now.threads.end(), [&](const PythonThread& thread) {
    if (thread.running_loop == 0 || thread.asleep) return true;
    return thread.iteration_began &&
           std::any_of(before.threads.begin(), before.threads.end(), [&](const PythonThread& then) {
             return then.address == thread.address &&
                    then.iteration_began == thread.iteration_began;
           });
  });
}

bool HaveLoopsSlept(const PythonProcess& process) {
  return std::all_of(
      process.threads.begin(), process.threads.end(),
      [](const PythonThread& thread) { return thread.running_loop == 0 || thread.asleep; });
}

}  // namespace ct
