// Who owns a lock: from what its waiters read in its owner word, and from who lived at both ends of
// the look.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/observation.h"
#include "observe/history.h"
#include "observe/look.h"

namespace ct {

// A lock in a mapped file is that place of the file.
ResourceId SharedId(const LocatedWait& located);

// What the waiters of one lock read in its owner word.
struct OwnerReadings {
  bool any = false;
  bool disagree = false;
  bool keeps_owner = false;  // the lock has a place for its owner, named or not
  bool word_moved = false;   // one found the lock free, or taken anew
  pid_t ns_tid = 0;
  Evidence evidence = Evidence::kUnknown;
  std::string note;
  bool word_matches = false;
  bool robust = false;
  bool any_timed = false;
  bool all_still = true;      // every waiter slept through
  bool waiter_still = false;  // one did
  TimeNs latest_sleep = 0;    // of the waiter that fell asleep last
  const TaskSample* waiter = nullptr;
  // Of those who slept through: since when the first did, and on which futex word; 0: nobody.
  TimeNs earliest_sleep = 0;
  std::uint64_t slept_on = 0;
  std::uint64_t space = 0;
  // ProcessReadings::referrers of this lock, read by `referrers_of`; nullptr: not searched for.
  const std::vector<pid_t>* referrers = nullptr;
  const TaskSample* referrers_of = nullptr;

  void Note(const TaskSample& reader, Continuity continuity, const WaitReading& reading);
};

// One who seems to hold a lock that keeps no owner.
struct ProbableHolder {
  const TaskSample* task = nullptr;  // at the second sweep
  std::string note;
  std::optional<TimeNs> since;
};

struct LockOwner {
  const TaskSample* owner = nullptr;  // at the second sweep; nullptr: not known, or not alive
  Evidence evidence = Evidence::kUnknown;
  std::string note;
  std::optional<Keeper> keeper;  // set if it certainly kept the lock over the whole look
  Abandoned abandoned = Abandoned::kNo;
  pid_t abandoned_by = 0;
  bool changed_hands = false;  // Resource::changed_hands
};

class LockOwners {
 public:
  // Borrows all three; `first` and `second` are of look.first and look.second. `long_wait`: from
  // which age of a wait on GivenTo tells.
  LockOwners(const RawLook& look, const SweepIndex& first, const SweepIndex& second,
             DurationNs long_wait);

  LockOwner Settle(const Resource& resource, const OwnerReadings& readings);
  // Whose stacks refer to a lock of which Settle knows nothing; empty unless all of these slept on
  // since they were read.
  [[nodiscard]] std::vector<ProbableHolder> Referrers(const OwnerReadings& readings) const;
  // Who was given such a lock while somebody waited who waits still: to let go of it would have
  // been to let go of a waiter. Of locks that only one can hold.
  [[nodiscard]] std::optional<ProbableHolder> GivenTo(const Resource& resource,
                                                      const OwnerReadings& readings) const;

 private:
  struct Search {
    const TaskSample* owner = nullptr;
    bool doubtful = false;  // no owner is known, but somebody may be it
  };
  // Threads in a futex wait at the first sweep that did not sleep through: where they waited.
  struct Leavers {
    std::set<std::pair<std::uint64_t, std::uint64_t>> words;  // memory space, futex word
    std::set<ResourceId> shared;
  };

  Search FindOwner(const Resource& resource, const OwnerReadings& readings) const;
  Search FindOwnerOfShared(const SweepIndex& index, const Resource& resource,
                           const OwnerReadings& readings) const;
  bool IsTooYoungToOwn(const TaskSample& owner, const Resource& resource,
                       const OwnerReadings& readings) const;
  std::optional<Keeper> KeeperOf(const Resource& resource, const TaskSample& owner) const;
  void SettleAbandoned(const Resource& resource, const OwnerReadings& readings, LockOwner& found);
  bool WasThereAtFirst(const Resource& resource, const OwnerReadings& readings) const;
  bool SomeWaiterLeft(const Resource& resource, const TaskSample& waiter);
  void FindLeavers();
  bool IsAncestor(const TaskSample& maybe, const TaskSample& of) const;

  const RawLook& look_;
  const SweepIndex& first_;
  const SweepIndex& second_;
  DurationNs long_wait_;
  std::optional<Leavers> leavers_;  // found when first asked for
};

}  // namespace ct
