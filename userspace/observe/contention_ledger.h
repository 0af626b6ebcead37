// The books of an interval: for each lock who waited, where, how long, and who ended it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernel/sweep.h"
#include "kernel/waits.h"
#include "model/frame.h"
#include "observe/process_row.h"
#include "reader/reader.h"

namespace ct {

// A stack of one process: its frames name ContentionLedger::modules().
using StackId = std::uint32_t;

class ContentionLedger {
 public:
  // Sums of waits; `waits` and `total` of all that were noted, `max` of the longest.
  struct Sum {
    std::uint64_t waits = 0;
    DurationNs total = 0;
    DurationNs max = 0;
    void Add(DurationNs duration);
  };
  struct ThreadSum : Sum {
    std::string name;
  };
  struct CounterpartSum : Sum {
    pid_t pid = 0;
    std::string name;
  };
  // Of most locks of a large process there is none.
  struct LongWaits {
    WaitTotals uncounted;  // waits that the kernel's statistics do not have
    std::map<StackId, Sum> stacks;
    std::map<ThreadId, ThreadSum> threads;
    std::map<pid_t, CounterpartSum> releasers;  // by tid
    std::map<pid_t, CounterpartSum> holders;    // by tid
    Sum unread;                                 // long waits whose stack is not known
  };
  // What a lock is, as far as many are the same.
  struct Description {
    ResourceKind kind = ResourceKind::kFutex;
    Implementation implementation = Implementation::kUnknown;
    WaitPurpose purpose = WaitPurpose::kEvent;
    Evidence evidence = Evidence::kUnknown;
    std::optional<std::uint32_t> capacity;
    std::string type;
    std::string symbol;
    std::string where;
    auto operator<=>(const Description&) const = default;
  };
  // Small: there may be a hundred thousand.
  struct Lock {
    // By its most certain reading; nullptr: there is none.
    const Description* description = nullptr;
    std::uint64_t object = 0;               // the lock's own address, by that reading
    std::unique_ptr<ResourceId> shared;     // set: it is one of several processes
    std::unique_ptr<LongWaits> long_waits;  // nullptr: there were none
  };

  // A wait has ended. Samples (shorter than asked for) only make their lock known.
  void NoteWait(const WaitSample& wait);
  // One that began before the tracer came: no statistics have it.
  void NoteUncounted(const LockKey& key, const ProcessNames& process, DurationNs duration,
                     bool timed_out);
  // What its thread was read to wait for, and where; `modules` are those that its frames name.
  void NoteReading(const WaitSample& wait, const ThreadRead& read,
                   const std::vector<Module>& modules);
  // Whom the lock named as the wait began.
  void NoteHolder(const WaitSample& wait, const TaskSample& holder);
  void NoteUnread(const WaitSample& wait);
  // The same of a wait in progress.
  void NoteLive(const LockKey& key, const ProcessNames& process, const ThreadRead& read);

  // nullptr if no record of it ever came.
  [[nodiscard]] const Lock* Find(const LockKey& key) const;
  [[nodiscard]] bool IsNamed(const LockKey& key) const;
  // Of a lock that Find finds.
  [[nodiscard]] const ProcessNames& ProcessOf(const LockKey& key) const {
    return processes_.at(key.pid);
  }
  [[nodiscard]] const std::map<LockKey, Lock>& locks() const { return locks_; }
  [[nodiscard]] const Stack& stack(StackId id) const { return stacks_[id]; }
  [[nodiscard]] const std::vector<Module>& modules() const { return modules_; }
  // What found no room any more: locks, stacks, threads or releasers of a lock.
  [[nodiscard]] std::uint64_t overflowed() const { return overflowed_; }

 private:
  void NoteName(Lock& lock, const ThreadRead& read);
  static LongWaits& LongWaitsOf(Lock& lock);
  // nullptr: there is no room.
  Lock* At(const LockKey& key, const ProcessNames& process);
  std::optional<StackId> Intern(Stack stack, const std::vector<Module>& modules);
  template <class Map>
  typename Map::mapped_type* Entry(Map& map, const typename Map::key_type& key,
                                   std::size_t max_size);

  std::map<LockKey, Lock> locks_;
  std::map<pid_t, ProcessNames> processes_;
  std::set<Description> descriptions_;
  std::vector<Stack> stacks_;
  std::unordered_multimap<std::uint64_t, StackId> stacks_by_hash_;
  std::vector<Module> modules_;
  std::map<Module, ModuleIndex> modules_by_content_;
  std::uint64_t overflowed_ = 0;
};

}  // namespace ct
