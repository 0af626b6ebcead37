// What is waited for while it happens: the finished waits that the kernel reports, read and
// counted, and an Observation of them.
#pragma once

#include <deque>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "kernel/sweep.h"
#include "kernel/waits.h"
#include "model/observation.h"
#include "observe/contention_ledger.h"
#include "observe/filter.h"
#include "observe/history.h"
#include "observe/look.h"
#include "reader/reader.h"

namespace ct {

struct ContentionOptions {
  Filter filter;
  DurationNs min_wait = kMillisecond;  // as the tracer was planned with
};

class ContentionObserver {
 public:
  // All three must outlive it; the tracer is paused.
  ContentionObserver(WaitTracer& tracer, Sweeper& sweeper, Reader& reader,
                     ContentionOptions options);

  // Counts from here on. kNotFound: nothing matches the filter.
  Status Begin();
  // Waits for news for at most `timeout`, and reads them. kNotFound: all processes that the filter
  // selects have ended.
  Status Step(DurationNs timeout);
  // Everything since Begin. Its tables hold what `contention` refers to, and nothing else.
  Result<Observation> Report();

 private:
  // A wait that was in progress when counting began.
  struct Running {
    ThreadId id;
    std::uint64_t address = 0;
    TimeNs since = 0;
  };

  Status Sweep();
  Status Follow();
  void Take(bool all);
  void Note(WaitSample wait);
  void ReadPending(DurationNs budget);
  // The oldest of the pending waits and others of the same process.
  std::vector<WaitSample> NextOfOneProcess();
  void Read(const std::vector<WaitSample>& waits);
  // Waits in progress of locks that nothing is known of yet.
  void ReadLive();
  void AddLosses(const WaitCounters& counters, Observation& observation) const;

  WaitTracer& tracer_;
  Sweeper& sweeper_;
  Reader& reader_;
  ContentionOptions options_;

  TimeNs begin_ = 0;
  ct::Sweep sweep_;
  std::unique_ptr<SweepIndex> index_;  // of sweep_
  std::unordered_set<pid_t> selected_;
  std::unordered_map<pid_t, Running> running_;  // by tid
  std::deque<WaitSample> pending_;              // to be read
  ContentionLedger ledger_;
  History history_;
  std::unordered_map<pid_t, ProcessFacts> facts_;  // by pid
  std::vector<Loss> losses_;                       // of the reader
  std::uint64_t unread_ = 0;                       // long waits beyond what could be read in time
  std::uint64_t unknown_begin_ = 0;
};

}  // namespace ct
