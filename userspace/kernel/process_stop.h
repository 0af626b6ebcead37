// All threads of a process stopped, for a few milliseconds.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "base/clock.h"
#include "base/result.h"

namespace ct {

// As a debugger stops it, by PTRACE_SEIZE and PTRACE_INTERRUPT: its parent and its shell see
// nothing of it, and the kernel lets it go on if we die. Calls that never restart (epoll_wait,
// signal(7)) return EINTR in it.
//
// What was asked may take long, and the process goes on all the same: a thread of its own lets it
// go after `limit`, whatever the caller is doing. Only the thread that stopped it may.
class ProcessStop {
 public:
  explicit ProcessStop(pid_t pid, DurationNs limit);
  ~ProcessStop() { End(); }
  ProcessStop(const ProcessStop&) = delete;
  ProcessStop& operator=(const ProcessStop&) = delete;
  ProcessStop(ProcessStop&&) = delete;
  ProcessStop& operator=(ProcessStop&&) = delete;

  // Waits until it is stopped. kPermission: it may not be, or has a debugger; kNotFound: it has
  // ended; kUnsupported: a thread did not stop in time (it sleeps uninterruptibly).
  Status Begin();
  // Lets it go on. How long it was stopped; nullopt if it was let go before.
  std::optional<DurationNs> End();

 private:
  void Run();
  Status StopAll();
  void LetGo();

  const pid_t pid_;
  const DurationNs limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool begun_ = false;
  bool end_wanted_ = false;
  bool in_time_ = false;
  Status status_;
  DurationNs stopped_for_ = 0;
  std::vector<std::pair<pid_t, int>> stopped_;  // threads, and the signal each still has to get
  std::thread thread_;
};

}  // namespace ct
