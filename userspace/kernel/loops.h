// Iterations of event loops as they happen: how long a thread stays away from its selector
// (epoll_wait and its kin). Which of the threads run a loop is not known here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include <sys/types.h>

#include "base/clock.h"
#include "base/result.h"
#include "kernel/features.h"

namespace ct {

// One that has ended and was as long as the plan's threshold, even without `queued`.
struct Iteration {
  pid_t tid = 0;
  pid_t pid = 0;
  TimeNs begin = 0;
  TimeNs end = 0;
  DurationNs queued = 0;  // its thread could run and had no CPU
  DurationNs cpu = 0;     // it ran
};

// A thread that calls selectors, as of now.
struct LoopCount {
  pid_t tid = 0;
  pid_t pid = 0;
  TimeNs begin = 0;       // of the iteration in progress; 0: it is inside its selector
  DurationNs queued = 0;  // at `begin`: how long the thread had waited for a CPU in its life
  std::uint64_t iterations = 0;
  std::uint64_t slow = 0;  // of those, as long as the threshold while it had a CPU or slept
  DurationNs slow_total = 0;
  std::uint64_t starved = 0;  // as long only because it had none
  DurationNs starved_total = 0;
  DurationNs total = 0;
  DurationNs max = 0;
};

struct LoopCounters {
  std::uint64_t lost_ring = 0;    // slow iterations that did not travel
  std::uint64_t lost_thread = 0;  // calls not followed: too many threads
};

// Not thread-safe. While it lives its programs are attached; when it ends, or its process does,
// the kernel takes them off.
class LoopTracer {
 public:
  // Loads and attaches (some 20 ms), in the first way that this kernel lets it. No process is
  // followed before Select. kPermission, kUnsupported with one line a way.
  static Result<std::unique_ptr<LoopTracer>> Load(const LoopsPlan& plan);
  virtual ~LoopTracer() = default;

  [[nodiscard]] virtual AttachWay way() const = 0;
  // Only these processes from now on.
  virtual Status Select(const std::unordered_set<pid_t>& pids) = 0;
  // What has ended since the last call, in the order in which it came.
  virtual Result<std::vector<Iteration>> Take() = 0;
  virtual Result<std::vector<LoopCount>> Threads() = 0;
  // What is known of the thread is known wrongly: it is followed anew.
  virtual void Forget(pid_t tid) = 0;
  virtual Result<LoopCounters> Counters() = 0;
};

}  // namespace ct
