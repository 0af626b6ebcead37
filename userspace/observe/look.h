// The raw material of an Observation: two sweeps and what was read of the target between them.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/hash.h"
#include "kernel/sweep.h"
#include "model/observation.h"
#include "observe/given_locks.h"
#include "observe/python_look.h"
#include "reader/reader.h"

namespace ct {

// One reading of one thread; its frames name `modules` of the same process.
struct ThreadReading {
  ThreadRead read;
  bool with_lines = false;  // the stack has file:line
};

// True if it waits for a lock, a semaphore's unit or a thread's end, not for an event.
bool IsLockLike(const ThreadReading& reading);

struct ProcessReadings {
  std::unordered_map<pid_t, ThreadReading> threads;  // by host tid
  std::vector<Module> modules;
  std::optional<ProcessFacts> facts;
  // By address of a lock that keeps no owner: the threads (ns_tid) whose stacks refer to it, where
  // every stack of the space could be read.
  std::map<std::uint64_t, std::vector<pid_t>> referrers;
  bool facts_are_old = false;  // a thread has run since, and may have installed a signal handler
  // Of the files that hold a shared lock that it may own: those it maps, and those it does not.
  std::set<MappedFile> mapped_files;
  std::set<MappedFile> unmapped_files;
};

// Who has what, where acquires are followed: threads by their host tids.
struct SeenHolders {
  std::multimap<std::pair<std::uint64_t, std::uint64_t>, pid_t> of;  // memory space and lock
  std::vector<pid_t> for_long;  // who has something for long, waited for or not
};

// DESIGN.md, rule 3: sweep, read, sweep.
struct RawLook {
  Sweep first;
  Sweep second;
  std::unordered_set<pid_t> selected;                   // tgids that the filter names
  std::unordered_map<pid_t, ProcessReadings> readings;  // by tgid
  std::unordered_map<pid_t, PythonLook> python;         // by tgid: of those selected, if few are
  std::vector<Loss> losses;
  GivenLocks
      given_locks;  // where waits are followed: before the reading, at last after both sweeps
  SeenHolders seen_holders;  // empty where acquires are not followed
  // Somebody in question was awake for a moment: the same look again may see more.
  bool restless = false;
  // One of those who seem to wait for each other, which could not be proven for that reason.
  std::optional<pid_t> restless_ring;
};

// A thread's reading, or nullptr if it was not read.
const ThreadReading* ReadingOf(const RawLook& look, const TaskSample& task);

// A thread's entry in a sweep, by host tid.
class SweepIndex {
 public:
  explicit SweepIndex(const Sweep& sweep);
  // nullptr if the sweep has no such thread.
  [[nodiscard]] const TaskSample* ByTid(pid_t tid) const;
  // By its id inside a pid namespace.
  [[nodiscard]] const TaskSample* ByNamespaceTid(std::uint32_t pid_ns, pid_t ns_tid) const;
  // All that have this id inside their pid namespace, whichever that is.
  [[nodiscard]] std::vector<const TaskSample*> ByAnyNamespaceTid(pid_t ns_tid) const;
  [[nodiscard]] const std::vector<const TaskSample*>& OfSpace(std::uint64_t space) const;

 private:
  std::unordered_map<pid_t, const TaskSample*> by_tid_;
  std::unordered_map<std::uint64_t, const TaskSample*> by_ns_tid_;
  std::unordered_multimap<pid_t, const TaskSample*> by_any_ns_tid_;
  std::unordered_map<std::uint64_t, std::vector<const TaskSample*>> by_space_;
};

// True if the sample sleeps in a futex system call, in whatever variant; or if it was woken there
// (by a signal, say) and waits for a CPU, in a call without a timeout. Such a thread does not know
// yet whether its wait is over, and nobody can have handed it the lock: PI locks are left out.
bool InFutexWait(const TaskSample& task);
// What it waits on, if it does; nullopt, too, in a futex_waitv call, whose words are in memory.
std::optional<std::uint64_t> FutexWordOf(const TaskSample& task);
// True if both samples show the same futex call: same operation, same address, both with a timeout
// or both without.
bool SameFutexCall(const TaskSample& a, const TaskSample& b);
// In the same futex call, made from the same place: what its stack said still holds.
bool IsAtSamePlace(const TaskSample& a, const TaskSample& b);
// Off its CPU at both ends, with equal switch counts: it has not run in between.
bool DidNotRun(const TaskSample& first, const TaskSample& second);
// The same, and asleep at both ends.
bool SleptThrough(const TaskSample& first, const TaskSample& second);

}  // namespace ct
