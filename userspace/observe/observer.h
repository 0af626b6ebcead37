// Looks at the host: sweep, read, sweep, and what is remembered in between. The one owner of
// history.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "kernel/kernel_symbols.h"
#include "kernel/sweep.h"
#include "model/observation.h"
#include "observe/builder.h"
#include "observe/filter.h"
#include "observe/look.h"
#include "reader/reader.h"

namespace ct {

struct ObserverOptions {
  Filter filter;
  bool all_waits = false;          // idle waits too, with stacks
  DurationNs long_wait = kSecond;  // when an unfinished lock wait deserves a look of its own
  // With a filter and somebody on CPU: how long to watch before saying "spinning".
  DurationNs verdict_pause = 0;
};

class Observer {
 public:
  // Borrows both for its lifetime.
  Observer(Sweeper& sweeper, Reader& reader, ObserverOptions options);

  // Sweep, read, sweep: a whole Observation. Milliseconds, by the number of blocked threads.
  // kNotFound if the filter selects nothing (any more).
  Result<Observation> Look();

  // For a loop: one cheap sweep. True if something near a lock has changed since the last Look, so
  // that another is worth its cost.
  Result<bool> Watch(DurationNs settle);

 private:
  // What a sleeping thread was found to wait for, good for as long as it has not run.
  struct CachedThread {
    ThreadId id;
    std::uint64_t switches = 0;
    ThreadReading reading;
  };
  struct CachedProcess {
    ThreadId leader;
    std::uint64_t space = 0;
    std::vector<Module> modules;
    std::optional<ProcessFacts> facts;
    std::unordered_map<pid_t, CachedThread> threads;
  };
  // A place where a thread was seen to wait for an event: its next sleep there needs no reading.
  struct IdleSite {
    std::uint64_t space;
    std::uint64_t futex;
    std::uint64_t pc;
    std::uint64_t sp;
    bool operator==(const IdleSite&) const = default;
  };
  struct IdleSiteHash {
    std::size_t operator()(const IdleSite& site) const;
  };
  // A lock-like wait of the last Look.
  struct Watched {
    ThreadId id;
    std::uint64_t switches = 0;
    TimeNs since = 0;
    bool was_long = false;
  };

  // A sleep of a thread that blocked the reader.
  struct Sleep {
    ThreadId id;
    std::uint64_t switches = 0;
  };

  enum class Detail { kLocks, kLines };

  void ReadLocks(const SweepIndex& index, RawLook& look);
  // Threads of `tids` are read (again, with lines, if they were read without).
  void ReadThreads(const SweepIndex& index, const std::vector<const TaskSample*>& tasks,
                   Detail detail, RawLook& look);
  std::vector<const TaskSample*> FirstSuspects(const RawLook& look) const;
  std::vector<const TaskSample*> HoldersOf(const SweepIndex& index, const RawLook& look) const;
  std::vector<const TaskSample*> SharedWaiters(const RawLook& look) const;
  std::vector<const TaskSample*> LockedInSpaces(const SweepIndex& index, const RawLook& look,
                                                const std::vector<const TaskSample*>& near) const;
  std::vector<const TaskSample*> NearLocks(const SweepIndex& index, const RawLook& look) const;
  void NoteSick(const SweepIndex& index, const ProcessRead& answer);
  bool IsSick(const TaskSample& task) const;
  static void CountUnreadable(RawLook& look);
  void CountSick(const SweepIndex& index, RawLook& look);
  bool HasRestlessRing(const RawLook& look) const;
  Status LookCloser(const std::vector<WantedThread>& wanted, RawLook& look);
  void CheckSharedOwners(const SweepIndex& index, RawLook& look);
  void RefreshOwners(const SweepIndex& index, RawLook& look);
  tl::unexpected<Error> NothingMatches() const;
  bool SomebodySpins(const RawLook& look) const;
  void Remember(const RawLook& look, const Observation& observation);
  void FillCost(TimeNs begin, DurationNs cpu_begin, const RawLook& look,
                Observation& observation) const;

  Sweeper& sweeper_;
  Reader& reader_;
  ObserverOptions options_;
  History history_;
  KernelSymbols kernel_symbols_;
  std::unordered_map<pid_t, CachedProcess> cache_;
  std::unordered_set<IdleSite, IdleSiteHash> idle_sites_;
  std::unordered_map<pid_t, Watched> watched_;
  std::unordered_map<pid_t, Sleep> sick_;
  std::unordered_set<pid_t> known_;  // tids that a sweep has reported in full
  std::unordered_set<pid_t> selected_;
  TimeNs last_look_ = 0;
};

}  // namespace ct
