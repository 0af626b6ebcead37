#include "kernel/process_stop.h"

#include <signal.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <optional>
#include <set>
#include <string>

#include <fmt/format.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

namespace ct {
namespace {

constexpr std::size_t kMaxThreads = 4096;
constexpr int kMaxRounds = 8;  // new threads come while others are being stopped
constexpr DurationNs kPatience = 20 * kMillisecond;

std::set<pid_t> ThreadsOf(pid_t pid) {
  namespace fs = std::filesystem;
  std::set<pid_t> threads;
  std::error_code error;
  for (fs::directory_iterator task(fmt::format("/proc/{}/task", pid), error), end;
       !error && task != end && threads.size() < kMaxThreads; task.increment(error)) {
    const std::string name = task->path().filename().native();
    pid_t tid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), tid).ec == std::errc()) {
      threads.insert(tid);
    }
  }
  return threads;
}

}  // namespace

ProcessStop::ProcessStop(pid_t pid, DurationNs limit) : pid_(pid), limit_(limit) {}

Status ProcessStop::Begin() {
  thread_ = std::thread([this] { Run(); });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return begun_; });
  return status_;
}

std::optional<DurationNs> ProcessStop::End() {
  if (!thread_.joinable()) return std::nullopt;
  {
    const std::lock_guard lock(mutex_);
    end_wanted_ = true;
  }
  changed_.notify_all();
  thread_.join();
  return status_ && in_time_ ? std::optional(stopped_for_) : std::nullopt;
}

void ProcessStop::Run() {
  const TimeNs begin = MonotonicNow();
  Status status = StopAll();
  std::unique_lock lock(mutex_);
  status_ = std::move(status);
  begun_ = true;
  changed_.notify_all();
  if (status_) {
    in_time_ =
        changed_.wait_for(lock, std::chrono::nanoseconds(limit_), [this] { return end_wanted_; });
  }
  LetGo();
  stopped_for_ = MonotonicNow() - begin;
}

Status ProcessStop::StopAll() {
  const TimeNs begin = MonotonicNow();
  std::set<pid_t> known;
  for (int round = 0; round < kMaxRounds; ++round) {
    bool any_new = false;
    for (const pid_t tid : ThreadsOf(pid_)) {
      if (!known.insert(tid).second) continue;
      if (ptrace(PTRACE_SEIZE, tid, nullptr, nullptr) != 0) {
        if (errno == ESRCH) continue;  // it has ended
        return Fail(ErrorCode::kPermission,
                    fmt::format("process {} may not be stopped (a debugger has it, or privileges "
                                "are missing)",
                                pid_));
      }
      any_new = true;
      ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr);
      int status = 0;
      pid_t seen = 0;
      while ((seen = waitpid(tid, &status, __WALL | WNOHANG)) == 0) {
        if (MonotonicNow() - begin > kPatience) {
          return Fail(ErrorCode::kUnsupported,
                      fmt::format("thread {} of process {} did not stop", tid, pid_));
        }
        const timespec moment{0, 50'000};
        nanosleep(&moment, nullptr);
      }
      // A signal that was on its way to it is delivered when it goes on. PTRACE_EVENT_STOP is no
      // signal (ptrace(2)).
      const bool stopped = seen == tid && WIFSTOPPED(status);
      const bool is_signal = stopped && status >> 16 == 0;
      if (stopped) stopped_.emplace_back(tid, is_signal ? WSTOPSIG(status) : 0);
    }
    if (known.empty()) return Fail(ErrorCode::kNotFound, fmt::format("process {} has ended", pid_));
    if (!any_new) return {};
  }
  return Fail(ErrorCode::kUnsupported,
              fmt::format("process {} makes threads faster than they are stopped", pid_));
}

// Threads that did not stop go on when this thread ends.
void ProcessStop::LetGo() {
  for (const auto& [tid, signal] : stopped_) {
    ptrace(PTRACE_DETACH, tid, 0L, static_cast<long>(signal));
  }
}

}  // namespace ct
