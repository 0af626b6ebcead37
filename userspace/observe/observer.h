// Looks at the host: sweep, read, sweep, and what is remembered in between.
#pragma once

#include <functional>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "kernel/kernel_symbols.h"
#include "kernel/sweep.h"
#include "model/observation.h"
#include "observe/builder.h"
#include "observe/exclusive_classes.h"
#include "observe/filter.h"
#include "observe/history.h"
#include "observe/look.h"
#include "observe/look_reader.h"
#include "observe/python_forgotten.h"
#include "observe/python_pool_ages.h"
#include "observe/reading_cache.h"
#include "observe/task_origins.h"
#include "observe/watch_list.h"
#include "reader/reader.h"

namespace ct {

struct ObserverOptions {
  Filter filter;
  bool all_waits = false;          // idle waits too, with stacks
  DurationNs long_wait = kSecond;  // when an unfinished lock wait deserves a look of its own
  // Of Python: see PythonOptions::exclusive_classes.
  std::vector<std::string> exclusive_classes = DefaultExclusiveClasses();
  // Nobody will look again soon: a look that missed a thread which was awake is worth repeating.
  bool once = false;
  // How often at most whole heaps are searched for what nobody takes care of; 0: in every look.
  DurationNs search_interval = 0;
  // With a filter and somebody on CPU: how long to watch before saying "spinning".
  DurationNs verdict_pause = 0;
  // From which length on an event loop that stands is told; 0: never.
  DurationNs loop_block = 0;
  // Where tasks' makers are followed; may be missing, and must outlive the observer.
  TaskOrigins* task_origins = nullptr;
  // Where waits are followed: who was given which lock last. May be empty.
  std::function<GivenLocks()> given_locks;
  // Where acquires are followed: who has what now. May be empty.
  std::function<SeenHolders()> seen_holders;
};

class Observer {
 public:
  // Borrows all three for its lifetime.
  Observer(Sweeper& sweeper, Reader& reader, History& history, ObserverOptions options);

  // Sweep, read, sweep: a whole Observation. Milliseconds, by the number of blocked threads.
  // kNotFound if the filter selects nothing (any more).
  Result<Observation> Look();

  // For a loop: one cheap sweep. True if something near a lock has changed since the last Look, so
  // that another is worth its cost.
  Result<bool> Watch(DurationNs settle);

  // Between looks: see ObserverOptions::task_origins.
  void FollowTaskOrigins();

  // The processes that the filter named so far.
  [[nodiscard]] const std::unordered_set<pid_t>& selected() const { return selected_; }

 private:
  Result<RawLook> LookOnce();
  [[nodiscard]] bool ReadsPython() const;
  // Exceptions and coroutines that nobody takes care of, if it is time for that.
  void Search(const RawLook& look, Observation& observation);
  Status LookCloser(const std::vector<WantedThread>& wanted, RawLook& look);
  tl::unexpected<Error> NothingMatches() const;
  bool SomebodySpins(const RawLook& look) const;
  void FillCost(TimeNs begin, DurationNs cpu_begin, const RawLook& look,
                Observation& observation) const;

  Sweeper& sweeper_;
  Reader& reader_;
  ObserverOptions options_;
  LookReader look_reader_;
  ReadingCache cache_;
  WatchList watch_;
  History& history_;
  KernelSymbols kernel_symbols_;
  std::unordered_set<pid_t> selected_;
  std::optional<TimeNs> searched_;
  std::unordered_map<pid_t, PythonPoolAges> pool_ages_;  // by process
  std::unordered_map<pid_t, AbandonedLocks> abandoned_;  // as of the last search
};

}  // namespace ct
