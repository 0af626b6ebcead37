#include "observe/contention_ledger.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "observe/lock_owner.h"

namespace ct {
namespace {

// Memory is bounded whatever a target does: about 100 MB if all of these are reached.
constexpr std::size_t kMaxLocks = 131'072;
constexpr std::size_t kMaxStacks = 16'384;
constexpr std::size_t kMaxPerLock = 256;  // stacks, threads, releasers

ProcessNames WaiterOf(const WaitSample& wait) {
  return {wait.leader, wait.ns_pid, wait.pid_ns, wait.leader_name};
}

std::uint64_t HashOf(const Stack& stack) {
  std::size_t hash = stack.frames.size();
  for (const Frame& frame : stack.frames) {
    hash = HashCombine(hash, frame.address);
    hash = HashCombine(hash, static_cast<std::size_t>(frame.line));
  }
  return hash;
}

}  // namespace

void ContentionLedger::Sum::Add(DurationNs duration) {
  ++waits;
  total += duration;
  max = std::max(max, duration);
}

template <class Map>
typename Map::mapped_type* ContentionLedger::Entry(Map& map, const typename Map::key_type& key,
                                                   std::size_t max_size) {
  const auto found = map.find(key);
  if (found != map.end()) return &found->second;
  if (map.size() >= max_size) {
    ++overflowed_;
    return nullptr;
  }
  return &map[key];
}

ContentionLedger::Lock* ContentionLedger::At(const LockKey& key, const ProcessNames& process) {
  Lock* lock = Entry(locks_, key, kMaxLocks);
  if (lock != nullptr) processes_[key.pid] = process;
  return lock;
}

void ContentionLedger::NoteWait(const WaitSample& wait) {
  Lock* lock = At(wait.lock, WaiterOf(wait));
  if (lock == nullptr || wait.sampled) return;
  LongWaits& waits = LongWaitsOf(*lock);
  if (ThreadSum* thread = Entry(waits.threads, wait.id, kMaxPerLock)) {
    thread->Add(wait.duration());
    thread->name = wait.name;
  }
  if (!wait.waker) return;
  if (CounterpartSum* releaser = Entry(waits.releasers, wait.waker->tid, kMaxPerLock)) {
    releaser->Add(wait.duration());
    releaser->pid = wait.waker->pid;
    if (!wait.waker->name.empty()) releaser->name = wait.waker->name;
  }
}

void ContentionLedger::NoteUncounted(const LockKey& key, const ProcessNames& process,
                                     DurationNs duration, bool timed_out) {
  if (Lock* lock = At(key, process)) LongWaitsOf(*lock).uncounted.Add(duration, timed_out);
}

void ContentionLedger::NoteReading(const WaitSample& wait, const ThreadRead& read,
                                   const std::vector<Module>& modules) {
  Lock* lock = At(wait.lock, WaiterOf(wait));
  if (lock == nullptr) return;
  NoteName(*lock, read);
  if (wait.sampled) return;
  const std::optional<StackId> stack = Intern(read.stack, modules);
  LongWaits& waits = LongWaitsOf(*lock);
  Sum* sum = stack ? Entry(waits.stacks, *stack, kMaxPerLock) : nullptr;
  (sum != nullptr ? *sum : waits.unread).Add(wait.duration());
}

void ContentionLedger::NoteHolder(const WaitSample& wait, const TaskSample& holder) {
  Lock* lock = At(wait.lock, WaiterOf(wait));
  if (lock == nullptr || wait.sampled) return;
  if (CounterpartSum* sum = Entry(LongWaitsOf(*lock).holders, holder.id.tid, kMaxPerLock)) {
    sum->Add(wait.duration());
    sum->pid = holder.leader.tid;
    sum->name = holder.comm;
  }
}

void ContentionLedger::NoteUnread(const WaitSample& wait) {
  Lock* lock = At(wait.lock, WaiterOf(wait));
  if (lock != nullptr && !wait.sampled) LongWaitsOf(*lock).unread.Add(wait.duration());
}

void ContentionLedger::NoteLive(const LockKey& key, const ProcessNames& process,
                                const ThreadRead& read) {
  if (Lock* lock = At(key, process)) NoteName(*lock, read);
}

void ContentionLedger::NoteName(Lock& lock, const ThreadRead& read) {
  if (!read.wait) return;
  const WaitReading& reading = read.wait->reading;
  if (lock.description != nullptr && reading.evidence <= lock.description->evidence) return;
  Description description{reading.kind,      reading.implementation, reading.purpose,
                          reading.evidence,  reading.capacity,       reading.type,
                          read.wait->symbol, read.wait->where};
  // Every lock may have a name of its own: no more of them than of locks.
  lock.description = &*descriptions_.insert(std::move(description)).first;
  lock.object = reading.object;
  lock.shared =
      reading.process_shared ? std::make_unique<ResourceId>(SharedId(*read.wait)) : nullptr;
}

ContentionLedger::LongWaits& ContentionLedger::LongWaitsOf(Lock& lock) {
  if (!lock.long_waits) lock.long_waits = std::make_unique<LongWaits>();
  return *lock.long_waits;
}

const ContentionLedger::Lock* ContentionLedger::Find(const LockKey& key) const {
  const auto found = locks_.find(key);
  return found == locks_.end() ? nullptr : &found->second;
}

bool ContentionLedger::IsNamed(const LockKey& key) const {
  const Lock* lock = Find(key);
  return lock != nullptr && lock->description != nullptr &&
         lock->description->evidence != Evidence::kUnknown;
}

std::optional<StackId> ContentionLedger::Intern(Stack stack, const std::vector<Module>& modules) {
  if (stack.frames.empty()) return std::nullopt;
  for (Frame& frame : stack.frames) {
    const auto index = static_cast<std::size_t>(frame.module);
    if (frame.module < 0 || index >= modules.size()) {
      frame.module = kNoIndex;
      continue;
    }
    const auto [entry, is_new] =
        modules_by_content_.try_emplace(modules[index], static_cast<ModuleIndex>(modules_.size()));
    if (is_new) modules_.push_back(modules[index]);
    frame.module = entry->second;
  }
  const std::uint64_t hash = HashOf(stack);
  const auto [begin, end] = stacks_by_hash_.equal_range(hash);
  for (auto known = begin; known != end; ++known) {
    if (stacks_[known->second] == stack) return known->second;
  }
  if (stacks_.size() >= kMaxStacks) {
    ++overflowed_;
    return std::nullopt;
  }
  const auto id = static_cast<StackId>(stacks_.size());
  stacks_.push_back(std::move(stack));
  stacks_by_hash_.emplace(hash, id);
  return id;
}

}  // namespace ct
