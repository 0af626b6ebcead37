#include "observe/lock_owner.h"

#include <algorithm>

namespace ct {
namespace {

// By how much the scheduler's clock may be off CLOCK_MONOTONIC after calibration: on an overloaded
// host, where no calibration is undisturbed, a few scheduling periods. Nobody is accused on less.
constexpr DurationNs kClockDoubt = kSecond;
// How far up a process's parents are looked at.
constexpr int kMaxAncestors = 64;
// The futex words of one lock lie this close together: sizeof(pthread_rwlock_t) is 56.
constexpr std::uint64_t kMaxLockSize = 64;

}  // namespace

ResourceId SharedId(const LocatedWait& located) {
  ResourceId id;
  id.shared = true;
  id.device = located.device;
  id.inode = located.inode;
  id.offset = located.offset;
  return id;
}

void OwnerReadings::Note(const TaskSample& reader, Continuity continuity,
                         const WaitReading& reading) {
  if (continuity == Continuity::kStill &&
      (earliest_sleep == 0 || reader.off_cpu_since < earliest_sleep)) {
    earliest_sleep = reader.off_cpu_since;
    slept_on = reading.futex_word;
    space = reader.space;
  }
  keeps_owner = keeps_owner || reading.owner_format != OwnerFormat::kNone;
  // The word is not what they wait for it to be: somebody has released it, and nobody, or somebody
  // new, has it.
  if (reading.owner_format != OwnerFormat::kNone && !reading.word_matches) word_moved = true;
  if (reading.owner_ns_tid == 0 || !reading.holders_known) return;
  if (any && ns_tid != reading.owner_ns_tid) disagree = true;
  if (!any || reading.evidence > evidence) {
    evidence = reading.evidence;
    note = reading.evidence_note;
    waiter = &reader;
  }
  any = true;
  ns_tid = reading.owner_ns_tid;
  word_matches = word_matches || reading.word_matches;
  robust = robust || reading.robust;
  any_timed = any_timed || reading.timed;
  latest_sleep = std::max(latest_sleep, reader.off_cpu_since);
  const bool still = continuity == Continuity::kStill;
  waiter_still = waiter_still || still;
  all_still = all_still && still;
}

LockOwners::LockOwners(const RawLook& look, const SweepIndex& first, const SweepIndex& second,
                       DurationNs long_wait)
    : look_(look), first_(first), second_(second), long_wait_(long_wait) {}

LockOwner LockOwners::Settle(const Resource& resource, const OwnerReadings& readings) {
  LockOwner found;
  found.changed_hands =
      resource.kind == ResourceKind::kMutex && (readings.disagree || readings.word_moved);
  // Readings that disagree were taken while the lock changed hands: nobody is accused.
  if (!readings.any || readings.disagree) return found;
  const Search search = FindOwner(resource, readings);
  if (search.owner == nullptr) {
    if (!search.doubtful) SettleAbandoned(resource, readings, found);
    return found;
  }
  if (IsTooYoungToOwn(*search.owner, resource, readings)) {
    found.abandoned = Abandoned::kTidReused;
    found.abandoned_by = readings.ns_tid;
    return found;
  }
  found.owner = search.owner;
  found.evidence = readings.evidence;
  found.note = readings.note;
  if (!readings.word_matches && resource.kind != ResourceKind::kThreadExit) {
    found.evidence = std::min(found.evidence, Evidence::kProbable);
    found.note = "owner word read while the lock changed";
  }
  if (found.evidence == Evidence::kCertain) found.keeper = KeeperOf(resource, *found.owner);
  return found;
}

std::vector<ProbableHolder> LockOwners::Referrers(const OwnerReadings& readings) const {
  std::vector<ProbableHolder> holders;
  if (readings.any || readings.referrers == nullptr) return holders;
  for (const pid_t ns_tid : *readings.referrers) {
    const TaskSample* task = second_.ByNamespaceTid(readings.referrers_of->pid_ns, ns_tid);
    const TaskSample* before = task == nullptr ? nullptr : first_.ByTid(task->id.tid);
    if (before == nullptr || task->space != readings.referrers_of->space ||
        !SleptThrough(*before, *task)) {
      return {};
    }
    holders.push_back({task,
                       readings.referrers->size() == 1 ? "the only stack that refers to the lock"
                                                       : "one of the stacks that refer to the lock",
                       std::nullopt});
  }
  return holders;
}

std::optional<ProbableHolder> LockOwners::GivenTo(const Resource& resource,
                                                  const OwnerReadings& readings) const {
  const bool may_signal = MayBeASignal(resource.kind, resource.implementation);
  const bool one_holder = !may_signal && (resource.kind == ResourceKind::kMutex ||
                                          resource.kind == ResourceKind::kMallocArena);
  if (readings.any || readings.keeps_owner || resource.id.shared || readings.earliest_sleep == 0 ||
      look_.second.end - readings.earliest_sleep < long_wait_ || !(one_holder || may_signal)) {
    return std::nullopt;
  }
  const auto found = look_.given_locks.find({readings.space, readings.slept_on});
  if (found == look_.given_locks.end()) return std::nullopt;
  const GivenLock& given = found->second;
  if (!(one_holder || given.goes_round) || given.since <= readings.earliest_sleep) {
    return std::nullopt;
  }
  const TaskSample* task = second_.ByTid(given.tid);
  if (task == nullptr || task->space != readings.space || task->id.start_time > given.since) {
    return std::nullopt;
  }
  // Woken, it found the lock taken by somebody who had not waited.
  if (FutexWordOf(*task) == readings.slept_on) return std::nullopt;
  return ProbableHolder{task, "was let go last, and has let go nobody who waits since then",
                        given.since};
}

// To own the lock it must have been unlocked in the owner's life time, and to unlock a mutex that
// somebody waits for is to wake a waiter: if all of them have slept since before the owner was
// born, it has another's tid and not the lock. (A waiter that was woken and gave up at its
// timeout would be an exception; nobody waits with a timeout here.)
bool LockOwners::IsTooYoungToOwn(const TaskSample& owner, const Resource& resource,
                                 const OwnerReadings& readings) const {
  return resource.kind == ResourceKind::kMutex && !resource.id.shared && !readings.robust &&
         readings.all_still && !readings.any_timed && readings.word_matches &&
         readings.evidence == Evidence::kCertain &&
         owner.id.start_time > readings.latest_sleep + kClockDoubt;
}

std::optional<Keeper> LockOwners::KeeperOf(const Resource& resource,
                                           const TaskSample& owner) const {
  // A thread does not give its life away and take it again.
  if (resource.kind == ResourceKind::kThreadExit) return Keeper{owner.id, 0};
  const TaskSample* before = first_.ByTid(owner.id.tid);
  if (before == nullptr || !SleptThrough(*before, owner)) return std::nullopt;
  return Keeper{owner.id, owner.switches};
}

LockOwners::Search LockOwners::FindOwner(const Resource& resource,
                                         const OwnerReadings& readings) const {
  if (resource.id.shared) return FindOwnerOfShared(second_, resource, readings);
  // A private lock's owner lives in the same memory (rule 10).
  const TaskSample* owner = second_.ByNamespaceTid(readings.waiter->pid_ns, readings.ns_tid);
  if (owner != nullptr && owner->space == readings.waiter->space) return {owner, false};
  const auto all = second_.ByAnyNamespaceTid(readings.ns_tid);
  return {nullptr, std::any_of(all.begin(), all.end(), [&](const TaskSample* task) {
            return task->space == readings.waiter->space;
          })};
}

// Whoever maps the lock's file may own it, from whatever pid namespace: two containers that share
// a file count their threads from 1 each.
LockOwners::Search LockOwners::FindOwnerOfShared(const SweepIndex& index, const Resource& resource,
                                                 const OwnerReadings& readings) const {
  const MappedFile file{resource.id.device, resource.id.inode};
  Search search;
  for (const TaskSample* task : index.ByAnyNamespaceTid(readings.ns_tid)) {
    const auto process = look_.readings.find(task->leader.tid);
    const ProcessReadings* read = process == look_.readings.end() ? nullptr : &process->second;
    const bool maps_it = task->space == readings.waiter->space ||
                         (read != nullptr && read->mapped_files.contains(file));
    if (!maps_it && read != nullptr && read->unmapped_files.contains(file)) continue;
    if (!maps_it || search.owner != nullptr) return {nullptr, true};
    search.owner = task;
  }
  return search;
}

void LockOwners::SettleAbandoned(const Resource& resource, const OwnerReadings& readings,
                                 LockOwner& found) {
  // A robust lock is handed on by the kernel; a join's target that is gone has been joined.
  if (readings.robust || resource.kind == ResourceKind::kThreadExit) return;
  if (!readings.waiter_still || !readings.word_matches || readings.evidence != Evidence::kCertain)
    return;
  // Gone at the second sweep only: it may have unlocked on its way out. The next look tells.
  if (WasThereAtFirst(resource, readings)) return;
  // Nor did it begin, lock, unlock and end between the two: to unlock is to wake a waiter.
  if (SomeWaiterLeft(resource, *readings.waiter)) return;
  found.abandoned_by = readings.ns_tid;
  const TaskSample* stranger = second_.ByNamespaceTid(readings.waiter->pid_ns, readings.ns_tid);
  if (stranger == nullptr) {
    found.abandoned = Abandoned::kOwnerExited;
  } else if (!resource.id.shared && IsAncestor(*stranger, *readings.waiter)) {
    found.abandoned = Abandoned::kInheritedOverFork;
  } else {
    found.abandoned = Abandoned::kTidReused;
  }
}

bool LockOwners::WasThereAtFirst(const Resource& resource, const OwnerReadings& readings) const {
  if (resource.id.shared) {
    const Search search = FindOwnerOfShared(first_, resource, readings);
    return search.owner != nullptr || search.doubtful;
  }
  const auto all = first_.ByAnyNamespaceTid(readings.ns_tid);
  return std::any_of(all.begin(), all.end(),
                     [&](const TaskSample* task) { return task->space == readings.waiter->space; });
}

bool LockOwners::SomeWaiterLeft(const Resource& resource, const TaskSample& waiter) {
  if (!leavers_) FindLeavers();
  if (resource.id.shared) return leavers_->shared.contains(resource.id);
  const auto next = leavers_->words.lower_bound({waiter.space, resource.id.address});
  return next != leavers_->words.end() && next->first == waiter.space &&
         next->second < resource.id.address + kMaxLockSize;
}

void LockOwners::FindLeavers() {
  leavers_.emplace();
  for (const TaskSample& before : look_.first.tasks) {
    if (!InFutexWait(before)) continue;
    const TaskSample* task = second_.ByTid(before.id.tid);
    if (task != nullptr && SleptThrough(before, *task)) continue;
    leavers_->words.insert({before.space, before.arguments[0]});
    const ThreadReading* reading = ReadingOf(look_, before);
    if (reading == nullptr || !reading->read.wait) continue;
    const LocatedWait& wait = *reading->read.wait;
    if (wait.reading.process_shared) leavers_->shared.insert(SharedId(wait));
  }
}

bool LockOwners::IsAncestor(const TaskSample& maybe, const TaskSample& of) const {
  pid_t parent = of.parent_pid;
  for (int i = 0; i < kMaxAncestors && parent > 1; ++i) {
    if (parent == maybe.leader.tid) return true;
    const TaskSample* next = second_.ByTid(parent);
    if (next == nullptr) return false;
    parent = next->parent_pid;
  }
  return false;
}

}  // namespace ct
