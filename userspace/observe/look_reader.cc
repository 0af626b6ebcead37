#include "observe/look_reader.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <tuple>

namespace ct {
namespace {

// A chain of holders through more processes than this is cut; each round reads what the last named.
constexpr int kMaxRounds = 32;
// Every container has a thread 1. If a shared lock names a tid that more than this many have, its
// owner stays unknown.
constexpr std::size_t kMaxOwnerCandidates = 64;

// Stacks are searched for this many locks of a process at most; where more wait for long, the
// process is not short of news.
constexpr std::size_t kMaxReferredLocks = 8;
// A lock to which more stacks refer is one that everybody knows.
constexpr std::size_t kMaxReferrers = 4;

// A lock whose memory does not say who holds it now.
bool KeepsNoOwner(const LocatedWait& wait) {
  const WaitReading& reading = wait.reading;
  if (reading.process_shared || reading.owner_ns_tid != 0) return false;
  return reading.kind == ResourceKind::kRwLock ||
         (reading.kind == ResourceKind::kMutex && reading.owner_format == OwnerFormat::kNone);
}

// Where the memory of a task's process is found: a thread group leader that has ended before its
// other threads has none.
pid_t ReadablePid(const SweepIndex& index, const TaskSample& task) {
  const TaskSample* leader = index.ByTid(task.leader.tid);
  const bool ended = leader == nullptr || leader->state == RunState::kExited;
  return ended ? task.id.tid : task.leader.tid;
}

ProcessToRead RequestFor(const SweepIndex& index, const TaskSample& any) {
  ProcessToRead request;
  request.pid = ReadablePid(index, any);
  for (const TaskSample* task : index.OfSpace(any.space)) {
    // The thread pointer of a running thread is in its CPU, not in memory.
    request.space_threads.push_back(
        {task->ns_tid, task->has_registers ? task->registers.thread_pointer : 0});
  }
  return request;
}

// Adds the answer's modules, each once however often its process is read; returns where each went.
std::vector<ModuleIndex> MergeModules(std::vector<Module>& modules, std::vector<Module>& into) {
  std::map<Module, ModuleIndex> known;
  for (std::size_t i = 0; i < into.size(); ++i) {
    known.emplace(into[i], static_cast<ModuleIndex>(i));
  }
  std::vector<ModuleIndex> places;
  places.reserve(modules.size());
  for (Module& module : modules) {
    const auto [entry, is_new] = known.try_emplace(module, static_cast<ModuleIndex>(into.size()));
    if (is_new) into.push_back(std::move(module));
    places.push_back(entry->second);
  }
  return places;
}

// Adds what an answer says to what is known of the process; module indices are renumbered.
void Merge(ProcessRead answer, bool with_lines, ProcessReadings& into, std::vector<Loss>& losses) {
  const std::vector<ModuleIndex> places = MergeModules(answer.modules, into.modules);
  for (ThreadRead& thread : answer.threads) {
    if (thread.gone) continue;
    for (Frame& frame : thread.stack.frames) {
      const bool known =
          frame.module >= 0 && static_cast<std::size_t>(frame.module) < places.size();
      frame.module = known ? places[static_cast<std::size_t>(frame.module)] : kNoIndex;
    }
    const pid_t tid = thread.tid;
    into.threads[tid] = ThreadReading{std::move(thread), with_lines};
  }
  if (answer.process) {
    into.facts = std::move(answer.process);
    into.facts_are_old = false;
  }
  losses.insert(losses.end(), answer.losses.begin(), answer.losses.end());
}

}  // namespace

ThreadToRead ToRead(const TaskSample& task) {
  ThreadToRead thread;
  thread.tid = task.id.tid;
  thread.ns_tid = task.ns_tid;
  thread.syscall = task.syscall;
  thread.arguments = task.arguments;
  thread.registers = task.registers;
  thread.want_lock = InFutexWait(task);
  thread.want_stack = true;
  return thread;
}

LookReader::LookReader(Reader& reader, bool all_waits, DurationNs long_wait)
    : reader_(reader), all_waits_(all_waits), long_wait_(long_wait) {}

std::vector<const TaskSample*> LookReader::FirstSuspects(const RawLook& look) const {
  std::vector<const TaskSample*> suspects;
  // Whoever shares memory with a selected process (vfork, CLONE_VM) is part of the question.
  std::unordered_set<std::uint64_t> spaces;
  for (const TaskSample& task : look.first.tasks) {
    if (task.space != 0 && look.selected.contains(task.leader.tid)) spaces.insert(task.space);
  }
  for (const TaskSample& task : look.first.tasks) {
    if (!look.selected.contains(task.leader.tid) && !spaces.contains(task.space)) continue;
    if (InFutexWait(task) || (all_waits_ && task.asleep && task.has_registers)) {
      suspects.push_back(&task);
    }
  }
  return suspects;
}

std::vector<const TaskSample*> LookReader::HoldersOf(const SweepIndex& index,
                                                     const RawLook& look) const {
  std::vector<const TaskSample*> holders;
  for (const pid_t tid : look.seen_holders.for_long) {
    if (const TaskSample* task = index.ByTid(tid)) holders.push_back(task);
  }
  for (const auto& [pid, process] : look.readings) {
    for (const auto& [tid, reading] : process.threads) {
      if (!IsLockLike(reading)) continue;
      const TaskSample* waiter = index.ByTid(tid);
      if (waiter == nullptr) continue;
      const TaskSample* holder =
          index.ByNamespaceTid(waiter->pid_ns, reading.read.wait->reading.owner_ns_tid);
      if (holder != nullptr) holders.push_back(holder);
      const auto given =
          look.given_locks.find({waiter->space, reading.read.wait->reading.futex_word});
      if (given != look.given_locks.end()) {
        if (const TaskSample* task = index.ByTid(given->second.tid)) holders.push_back(task);
      }
      const auto [first, last] =
          look.seen_holders.of.equal_range({waiter->space, reading.read.wait->reading.object});
      for (auto seen = first; seen != last; ++seen) {
        if (const TaskSample* task = index.ByTid(seen->second)) holders.push_back(task);
      }
      const auto referrers = process.referrers.find(reading.read.wait->reading.object);
      if (referrers == process.referrers.end()) continue;
      for (const pid_t ns_tid : referrers->second) {
        const TaskSample* referrer = index.ByNamespaceTid(waiter->pid_ns, ns_tid);
        if (referrer != nullptr) holders.push_back(referrer);
      }
    }
  }
  return holders;
}

// Waiters of other processes on locks that are shared between processes: they may wait for one of
// ours.
std::vector<const TaskSample*> LookReader::SharedWaiters(const RawLook& look) const {
  const bool any_shared =
      std::any_of(look.readings.begin(), look.readings.end(), [](const auto& process) {
        return std::any_of(
            process.second.threads.begin(), process.second.threads.end(), [](const auto& thread) {
              return thread.second.read.wait && thread.second.read.wait->reading.process_shared;
            });
      });
  std::vector<const TaskSample*> waiters;
  if (!any_shared) return waiters;
  constexpr std::uint64_t kPrivate = 128;  // FUTEX_PRIVATE_FLAG
  for (const TaskSample& task : look.first.tasks) {
    if (InFutexWait(task) && (task.arguments[1] & kPrivate) == 0) waiters.push_back(&task);
  }
  return waiters;
}

// All threads of the spaces in which somebody waits for a lock and everybody waits for somebody:
// together they may be a closed world.
std::vector<const TaskSample*> LookReader::LockedInSpaces(
    const SweepIndex& index, const RawLook& look,
    const std::vector<const TaskSample*>& near) const {
  std::unordered_set<std::uint64_t> spaces;
  for (const TaskSample* task : near) spaces.insert(task->space);
  std::vector<const TaskSample*> locked_in;
  for (const std::uint64_t space : spaces) {
    const std::vector<const TaskSample*>& tasks = index.OfSpace(space);
    const bool all = std::all_of(tasks.begin(), tasks.end(), [&](const TaskSample* task) {
      const ThreadReading* reading = ReadingOf(look, *task);
      return reading != nullptr && reading->read.wait && !reading->read.wait->reading.timed;
    });
    if (all) locked_in.insert(locked_in.end(), tasks.begin(), tasks.end());
  }
  return locked_in;
}

std::vector<const TaskSample*> LookReader::NearLocks(const SweepIndex& index,
                                                     const RawLook& look) const {
  std::vector<const TaskSample*> near = HoldersOf(index, look);
  for (const auto& [pid, process] : look.readings) {
    for (const auto& [tid, reading] : process.threads) {
      const TaskSample* task = index.ByTid(tid);
      if (task != nullptr && IsLockLike(reading)) near.push_back(task);
    }
  }
  const std::vector<const TaskSample*> locked_in = LockedInSpaces(index, look, near);
  near.insert(near.end(), locked_in.begin(), locked_in.end());
  std::sort(near.begin(), near.end());
  near.erase(std::unique(near.begin(), near.end()), near.end());
  return near;
}

void LookReader::ReadThreads(const SweepIndex& index, const std::vector<const TaskSample*>& tasks,
                             Detail detail, RawLook& look) {
  const bool lines = detail == Detail::kLines;
  std::unordered_map<pid_t, ProcessToRead> requests;
  for (const TaskSample* task : tasks) {
    if (!(task->asleep || InFutexWait(*task)) || !task->has_registers || IsSick(*task)) continue;
    const ThreadReading* known = ReadingOf(look, *task);
    if (known != nullptr && (known->with_lines || !lines)) continue;
    const auto [request, is_new] = requests.try_emplace(task->leader.tid);
    if (is_new) request->second = RequestFor(index, *task);
    request->second.threads.push_back(ToRead(*task));
  }
  for (auto& [pid, request] : requests) {
    ProcessReadings& readings = look.readings[pid];
    request.source_lines = lines;
    request.want_process = !readings.facts || readings.facts_are_old;
    // The oldest sleeper first: if the process turns out to be sick, the likeliest culprits have
    // been read.
    ProcessRead answer = reader_.Read(request);
    NoteSick(index, answer);
    Merge(std::move(answer), lines, readings, look.losses);
  }
  TellLocksFromSignals(index, look);
}

// Who let whom go tells a lock from a signal.
void LookReader::TellLocksFromSignals(const SweepIndex& index, RawLook& look) {
  if (look.given_locks.empty()) return;
  for (auto& [pid, process] : look.readings) {
    for (auto& [tid, reading] : process.threads) {
      const TaskSample* task = index.ByTid(tid);
      if (task == nullptr || !reading.read.wait) continue;
      WaitReading& wait = reading.read.wait->reading;
      if (!MayBeASignal(wait.kind, wait.implementation)) continue;
      const auto given = look.given_locks.find({task->space, wait.futex_word});
      if (given != look.given_locks.end() && given->second.goes_round) {
        wait.purpose = WaitPurpose::kAcquire;
      }
    }
  }
}

// A thread whose memory did not come is not asked for again while it sleeps the same sleep: each
// time would cost a reader process and its patience.
void LookReader::NoteSick(const SweepIndex& index, const ProcessRead& answer) {
  for (const pid_t tid : answer.blocked) {
    if (const TaskSample* task = index.ByTid(tid)) sick_[tid] = {task->id, task->switches};
  }
}

// What is not asked for again is still not seen.
void LookReader::CountSick(const SweepIndex& index, RawLook& look) {
  std::erase_if(sick_, [&](const auto& entry) {
    const TaskSample* task = index.ByTid(entry.first);
    return task == nullptr || !IsSick(*task);
  });
  if (sick_.empty()) return;
  look.losses.push_back({"thread not readable: its memory did not come in time", sick_.size(), true,
                         "thread " + std::to_string(sick_.begin()->first)});
}

bool LookReader::IsSick(const TaskSample& task) const {
  const auto found = sick_.find(task.id.tid);
  return found != sick_.end() && found->second.id == task.id &&
         found->second.switches == task.switches;
}

void LookReader::ReadLocks(const SweepIndex& index, RawLook& look) {
  RefreshOwners(index, look);

  ReadThreads(index, FirstSuspects(look), Detail::kLocks, look);
  std::size_t known = std::numeric_limits<std::size_t>::max();
  for (int round = 0; round < kMaxRounds; ++round) {
    std::vector<const TaskSample*> next = HoldersOf(index, look);
    const std::vector<const TaskSample*> shared = SharedWaiters(look);
    next.insert(next.end(), shared.begin(), shared.end());
    ReadThreads(index, next, Detail::kLocks, look);
    std::size_t now = 0;
    for (const auto& [pid, process] : look.readings) now += process.threads.size();
    if (now == known) break;
    known = now;
  }
  CheckSharedOwners(index, look);
  FindReferrers(index, look);
  ReadThreads(index, NearLocks(index, look), Detail::kLines, look);
}

// The holder of a lock that keeps no owner has its guard object on its stack, and that has the
// lock's address. To search all stacks costs something: only for waits that are long already. A
// thread that runs might be the holder, too, and its stack cannot be read.
void LookReader::FindReferrers(const SweepIndex& index, RawLook& look) {
  for (auto& [pid, process] : look.readings) {
    std::map<std::uint64_t, std::vector<pid_t>> waiters;
    const TaskSample* any = nullptr;
    for (const auto& [tid, reading] : process.threads) {
      const TaskSample* waiter = index.ByTid(tid);
      if (waiter == nullptr || !IsLockLike(reading) || !KeepsNoOwner(*reading.read.wait)) continue;
      if (look.first.begin - waiter->off_cpu_since < long_wait_) continue;
      waiters[reading.read.wait->reading.object];
      any = waiter;
    }
    if (any == nullptr || waiters.size() > kMaxReferredLocks) continue;
    const std::vector<const TaskSample*>& tasks = index.OfSpace(any->space);
    if (std::any_of(tasks.begin(), tasks.end(), [&](const TaskSample* task) {
          return !task->asleep || !task->has_registers || IsSick(*task);
        })) {
      continue;
    }
    for (const auto& [tid, reading] : process.threads) {
      const TaskSample* waiter = index.ByTid(tid);
      if (waiter == nullptr || !reading.read.wait) continue;
      const auto lock = waiters.find(reading.read.wait->reading.object);
      if (lock != waiters.end()) lock->second.push_back(waiter->ns_tid);
    }
    ProcessToRead request;
    request.pid = ReadablePid(index, *any);
    for (const TaskSample* task : tasks) request.stacks.push_back({task->ns_tid, task->registers});
    for (auto& [address, tids] : waiters) request.referrers.push_back({address, std::move(tids)});
    ProcessRead answer = reader_.Read(request);
    for (ReferrersFound& found : answer.referrers) {
      const bool few = !found.ns_tids.empty() && found.ns_tids.size() <= kMaxReferrers;
      if (found.complete && few) process.referrers[found.address] = std::move(found.ns_tids);
    }
    look.losses.insert(look.losses.end(), answer.losses.begin(), answer.losses.end());
  }
}

// A tid in a shared lock's owner word means somebody who has the lock's file mapped, in whatever
// pid namespace, not merely a process that has that tid today.
void LookReader::CheckSharedOwners(const SweepIndex& index, RawLook& look) {
  std::unordered_map<pid_t, ProcessToRead> requests;
  std::set<std::tuple<std::uint64_t, MappedFile, pid_t>> seen;
  for (const auto& [pid, process] : look.readings) {
    for (const auto& [tid, reading] : process.threads) {
      if (!IsLockLike(reading) || !reading.read.wait->reading.process_shared) continue;
      const TaskSample* waiter = index.ByTid(tid);
      if (waiter == nullptr) continue;
      const MappedFile file{reading.read.wait->device, reading.read.wait->inode};
      const pid_t owner_ns_tid = reading.read.wait->reading.owner_ns_tid;
      if (!seen.emplace(waiter->space, file, owner_ns_tid).second) continue;
      std::vector<const TaskSample*> owners = index.ByAnyNamespaceTid(owner_ns_tid);
      if (owners.size() > kMaxOwnerCandidates) owners.resize(kMaxOwnerCandidates);
      for (const TaskSample* owner : owners) {
        if (owner->space == waiter->space) continue;
        ProcessToRead& request = requests[owner->leader.tid];
        request.pid = ReadablePid(index, *owner);
        request.files.push_back(file);
      }
    }
  }
  for (auto& [pid, request] : requests) {
    std::sort(request.files.begin(), request.files.end());
    request.files.erase(std::unique(request.files.begin(), request.files.end()),
                        request.files.end());
    const ProcessRead answer = reader_.Read(request);
    ProcessReadings& readings = look.readings[pid];
    readings.mapped_files.insert(answer.mapped_files.begin(), answer.mapped_files.end());
    look.losses.insert(look.losses.end(), answer.losses.begin(), answer.losses.end());
    if (!answer.losses.empty()) continue;  // what it did not name, it may map all the same
    std::set_difference(request.files.begin(), request.files.end(), readings.mapped_files.begin(),
                        readings.mapped_files.end(),
                        std::inserter(readings.unmapped_files, readings.unmapped_files.end()));
  }
}

void LookReader::RefreshOwners(const SweepIndex& index, RawLook& look) {
  for (auto& [pid, process] : look.readings) {
    ProcessToRead request;
    for (auto& [tid, reading] : process.threads) {
      if (!IsLockLike(reading)) continue;
      const TaskSample* task = index.ByTid(tid);
      if (task == nullptr) continue;
      if (request.pid == 0) request = RequestFor(index, *task);
      request.owners.push_back({tid, *reading.read.wait});
    }
    if (request.owners.empty()) continue;
    ProcessRead answer = reader_.Read(request);
    std::unordered_map<pid_t, LocatedWait> confirmed;
    for (OwnerRead& owner : answer.owners) {
      if (owner.confirmed) confirmed.emplace(owner.tid, std::move(owner.wait));
    }
    for (const OwnerToRead& asked : request.owners) {
      // Not confirmed, or no answer: who held it in an earlier look says nothing about now. It is
      // decoded anew below.
      const auto now = confirmed.find(asked.tid);
      if (now == confirmed.end()) {
        process.threads.erase(asked.tid);
      } else {
        process.threads.at(asked.tid).read.wait = std::move(now->second);
      }
    }
    look.losses.insert(look.losses.end(), answer.losses.begin(), answer.losses.end());
  }
}

}  // namespace ct
