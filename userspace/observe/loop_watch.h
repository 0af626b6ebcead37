// Event loops as they run: which iterations last, and what the loop's thread was caught at
// meanwhile.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "kernel/loops.h"
#include "model/observation.h"
#include "observe/loop_cause.h"
#include "reader/reader.h"

namespace ct {

class LoopWatch {
 public:
  // Borrows both for its lifetime. `threshold` is that of the tracer. An iteration in progress is
  // told from the age `tell_after` on: all others when they have ended.
  LoopWatch(LoopTracer& tracer, Reader& reader, DurationNs threshold, DurationNs tell_after);

  // Only these processes from now on.
  Status Select(const std::unordered_set<pid_t>& pids);
  // How long to wait between two steps, so that an iteration of the threshold's length is looked at
  // several times.
  [[nodiscard]] DurationNs interval() const;
  // Looks at the loops whose iteration lasts, and takes in those that have ended.
  Status Step();
  // Something is to be told that was not there at the last call: a place where a loop stood, or
  // twice as many iterations there.
  bool TakeNews() { return std::exchange(news_, false); }

  // All that was seen so far. Threads that are no actors of it are left out.
  Status AddTo(Observation& observation, TimeNs now) const;

 private:
  // What was seen of one iteration.
  struct Looks {
    TimeNs begin = 0;
    std::vector<LoopSample> samples;
    bool no_loop = false;          // none ran in the thread
    std::size_t lock_looks = 0;    // that read which lock its thread waits for
    bool holder_is_known = false;  // who has that lock
  };
  // A thread that calls selectors.
  struct Thread {
    Looks now;
    Looks before;  // its end may not have come to us yet
    TimeNs next_sample = 0;
    bool told = false;     // that `now` lasts
    bool is_loop = false;  // an event loop ran in it when it was looked at last
    TimeNs asked_at = 0;   // when that was; 0: never
  };
  // What rows of one place have in common: thread, cause, own frame.
  using Spot = std::tuple<pid_t, BlockCause, std::string, std::string, std::uint32_t>;
  struct Row {
    LoopBlock block;
    pid_t tid = 0;
    Stack stack;
    std::uint64_t told = 0;  // count when it was news last
  };

  std::vector<pid_t> DueOf(const std::vector<LoopCount>& counts, TimeNs now, pid_t pid);
  void Sample(pid_t pid, const std::vector<pid_t>& tids);
  void TakeSample(const PythonProcess& process, const PythonThread& found);
  void Finish(const Iteration& iteration);
  void Keep(const Iteration& iteration, const std::vector<LoopSample>& samples);
  [[nodiscard]] bool Lasts(const LoopCount& count, const Thread& thread) const;
  static LoopBlock Single(TimeNs begin, DurationNs duration, DurationNs queued);

  LoopTracer& tracer_;
  Reader& reader_;
  DurationNs threshold_;
  DurationNs tell_after_;
  TimeNs begin_;
  TimeNs paid_until_ = 0;  // when what looks took so far is a small enough part of the time
  std::unordered_map<pid_t, Thread> threads_;  // by tid
  std::map<Spot, Row> rows_;
  std::uint64_t dropped_ = 0;
  bool news_ = false;
};

}  // namespace ct
