// What is waited for while it happens: the finished waits that the kernel reports, read and
// counted, and an Observation of them.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "kernel/sweep.h"
#include "kernel/waits.h"
#include "model/observation.h"
#include "observe/contention_ledger.h"
#include "observe/filter.h"
#include "observe/gil_watch.h"
#include "observe/history.h"
#include "observe/look.h"
#include "observe/overhead_budget.h"
#include "reader/reader.h"

namespace ct {

struct ContentionOptions {
  Filter filter;
  DurationNs min_wait = kMillisecond;  // as the tracer was planned with
  double max_overhead = 0.01;          // of the CPU time of the whole host
  std::uint32_t cpus = 1;
  // Looks at who has a GIL that is waited for, up to twenty times a second.
  bool watch_gils = false;
};

class ContentionObserver {
 public:
  // All four must outlive it; the tracer is paused.
  ContentionObserver(WaitTracer& tracer, Sweeper& sweeper, Reader& reader, History& history,
                     ContentionOptions options);

  // Counts from here on. kNotFound: nothing matches the filter.
  Status Begin();
  // Waits for news for at most `timeout`, and reads them. kNotFound: all processes that the filter
  // selects have ended.
  Status Step(DurationNs timeout);
  // What was given up since the last call, one line each.
  std::vector<std::string> TakeNews();
  [[nodiscard]] const OverheadBudget& budget() const { return budget_; }
  // Everything since Begin, added to an Observation of a moment ago that has the same History.
  Status AddTo(Observation& observation);
  // The same alone: its tables hold what `contention` refers to, and nothing else.
  Result<Observation> Report();
  // Who was given which lock last, as of now; nothing once counting has stopped.
  GivenLocks Given();

 private:
  // A wait that was in progress when counting began.
  struct Running {
    ThreadId id;
    LockKey lock;
    std::uint64_t switches = 0;
    TimeNs since = 0;
    ProcessNames process;
  };

  Status Sweep();
  Status Follow();
  void Take(bool all);
  void Note(WaitSample wait);
  void ReadPending(DurationNs budget);
  // The oldest of the pending waits and others of the same process.
  std::vector<WaitSample> NextOfOneProcess();
  void Read(const std::vector<WaitSample>& waits);
  [[nodiscard]] const TaskSample* HolderAtBegin(const WaitSample& wait,
                                                const ThreadRead& read) const;
  // Waits in progress of locks that nothing is known of yet.
  void ReadLive();
  void WatchCost();
  // Of what was measured: what the processes looked at have caused. The programs run for everybody,
  // and find out that nobody asked.
  [[nodiscard]] double OwnShare(const WaitCounters& now) const;
  // Where the programs do not see the end of a wait that began before them: the sweep does.
  void EndRunning();
  // Of processes that were only counted: their executable, cgroup and unit.
  void ReadFacts(const std::vector<LockCount>& counts);
  void AddLosses(const WaitCounters& counters, Observation& observation) const;

  WaitTracer& tracer_;
  OverheadBudget budget_;
  TimeNs window_begin_ = 0;  // of a measurement that is going on; 0: none is
  TimeNs next_window_ = 0;
  ProgramRuns runs_at_begin_;
  WaitCounters counters_at_begin_;
  std::vector<std::string> news_;
  std::vector<std::string> given_up_;  // all of it
  Sweeper& sweeper_;
  Reader& reader_;
  ContentionOptions options_;

  TimeNs begin_ = 0;
  TimeNs running_as_of_ = 0;  // when running_ was taken down
  ct::Sweep sweep_;
  std::unique_ptr<SweepIndex> index_;  // of sweep_
  std::unordered_set<pid_t> selected_;
  std::unordered_map<pid_t, Running> running_;  // by tid
  std::deque<WaitSample> pending_;              // to be read
  ContentionLedger ledger_;
  std::optional<GilWatch> gils_;
  History& history_;
  std::unordered_map<pid_t, ProcessFacts> facts_;  // by pid
  std::vector<Loss> losses_;                       // of the reader
  std::uint64_t unread_ = 0;                       // long waits beyond what could be read in time
  std::uint64_t unknown_begin_ = 0;
};

}  // namespace ct
