// One command's connection to the host: the reader process, the sweep and the observer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/options.h"
#include "kernel/features.h"
#include "kernel/holds.h"
#include "kernel/loops.h"
#include "kernel/sweep.h"
#include "kernel/task_origins.h"
#include "kernel/waits.h"
#include "model/finding.h"
#include "model/observation.h"
#include "observe/contention_observer.h"
#include "observe/history.h"
#include "observe/hold_watch.h"
#include "observe/loop_watch.h"
#include "observe/observer.h"
#include "observe/task_origins.h"
#include "reader/reader.h"
#include "track/pool_queues.h"
#include "track/unmoved_tasks.h"

namespace ct {

// Between two searches of whole heaps: one of a million objects takes some 0.2 s.
inline constexpr DurationNs kSearchInterval = 30 * kSecond;

struct Answer {
  Observation observation;
  std::vector<Finding> findings;
};

struct SessionOptions {
  TargetOptions target;
  bool all_waits = false;
  DurationNs verdict_pause = 0;
  DurationNs loop_block = 0;                        // 0: event loops are not asked about
  bool steady = false;                              // observer().Watch() will be called many times
  bool task_origin = false;                         // which stacks make tasks is followed
  std::optional<WaitOptions> waits = std::nullopt;  // set: waits are followed as they happen, too
  // Set: acquires and releases are followed, too, in the processes that HoldWatch is told.
  std::optional<HoldTraceOptions> holds = std::nullopt;
};

class Session {
 public:
  // Starts the reader process, then loads the BPF side. kPermission, kUnsupported, kNotFound (a
  // filter that names nothing) with one line for the user.
  static Result<std::unique_ptr<Session>> Start(const SessionOptions& options);

  // One look, with its findings.
  Result<Answer> Look();
  // What the last look saw, with what event loops did since: costs no look, which would keep the
  // reader from catching them.
  Result<Answer> LookAtLoops();
  Observer& observer() { return *observer_; }

  // nullptr: event loops are not followed. Only steady sessions with a filter do, from the first
  // look on that found Python: what loops are timed by may cost the whole host something.
  LoopWatch* loops() { return loops_.get(); }
  // "timing event loops by fentry".
  [[nodiscard]] std::string LoopsBanner() const;

  // nullptr without SessionOptions::holds. A look has what it saw.
  HoldWatch* holds() { return holds_.get(); }

  // Between looks: processes may have imported asyncio meanwhile. True if the tasks of any are
  // followed by now.
  bool FollowTaskOrigins();

  // The rest only with SessionOptions::waits. What was counted since contention().Begin().
  Result<Answer> Contention();
  // The same as a part of an answer.
  Status AddContention(Answer& answer);
  ContentionObserver& contention() { return *contention_; }
  // Of the reader process, since it started.
  [[nodiscard]] DurationNs reader_cpu() const { return reader_->cost().cpu; }
  WaitTracer& waits() { return *waits_; }
  // "counting waits by fentry, +130 ns a futex call".
  [[nodiscard]] std::string WaitsBanner() const;

 private:
  Session() = default;
  Result<Answer> Conclude(Observation observation);
  void StartLoops(DurationNs threshold);
  void StartTaskOrigins();
  Status StartHolds(const SessionOptions& options, const KernelFeatures& features);
  Status StartWaits(const SessionOptions& options, const WaitsPlan& plan);

  TargetOptions target_;
  TimeNs begin_ = 0;
  std::vector<std::string> degradations_;
  Host host_;
  std::unique_ptr<Reader> reader_;
  std::unique_ptr<Sweeper> sweeper_;
  History history_;
  UnmovedTasks unmoved_;
  PoolQueues queues_;
  std::unique_ptr<TaskOriginTracer> origin_tracer_;
  std::unique_ptr<TaskOrigins> task_origins_;
  std::unique_ptr<Observer> observer_;
  std::optional<KernelFeatures> loops_wanted_;  // no Python was seen yet
  std::unique_ptr<LoopTracer> loop_tracer_;
  std::unique_ptr<LoopWatch> loops_;
  Observation last_look_;  // without loops_; only where there are any
  std::unique_ptr<WaitTracer> waits_;
  std::unique_ptr<ContentionObserver> contention_;
  std::unique_ptr<HoldTracer> hold_tracer_;
  std::unique_ptr<HoldWatch> holds_;
};

// Says of the processes of those who hang that they do.
void MarkDeadlocked(Answer& answer);

Host ReadHost();

// "0.1.0".
const char* ToolVersion();

}  // namespace ct
