#include "observe/observer.h"

#include <time.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <tuple>

#include <sys/resource.h>

namespace ct {
namespace {

// A chain of holders through more processes than this is cut; each round reads what the last named.
constexpr int kMaxRounds = 32;
// Each takes about a millisecond, and a thread that is woken 200 times a second sleeps through
// most.
constexpr int kCloserLooks = 5;
constexpr std::size_t kMaxIdleSites = 200'000;
// Every container has a thread 1. If a shared lock names a tid that more than this many have, its
// owner stays unknown.
constexpr std::size_t kMaxOwnerCandidates = 64;
// How often a state that nobody's sleep shows to have changed is looked at again: a root that runs,
// a filter's processes that have come or gone.
constexpr DurationNs kRefreshInterval = 5 * kSecond;

bool IsLockLike(const ThreadReading& reading) {
  return reading.read.wait && reading.read.wait->reading.purpose != WaitPurpose::kEvent;
}

const ThreadReading* Find(const RawLook& look, const TaskSample& task) {
  const auto process = look.readings.find(task.leader.tid);
  if (process == look.readings.end()) return nullptr;
  const auto thread = process->second.threads.find(task.id.tid);
  return thread == process->second.threads.end() ? nullptr : &thread->second;
}

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
  if (answer.process) into.facts = std::move(answer.process);
  losses.insert(losses.end(), answer.losses.begin(), answer.losses.end());
}

// Equal reasons become one line with a count and the first example.
void MergeLosses(std::vector<Loss>& losses) {
  std::vector<Loss> merged;
  for (Loss& loss : losses) {
    const auto same = std::find_if(merged.begin(), merged.end(), [&](const Loss& other) {
      return other.reason == loss.reason && other.relevant == loss.relevant;
    });
    if (same == merged.end()) {
      merged.push_back(std::move(loss));
    } else {
      same->count += loss.count;
    }
  }
  losses = std::move(merged);
}

// In the same futex call, made from the same place: what its stack said still holds.
bool IsAtSamePlace(const TaskSample& a, const TaskSample& b) {
  return SameFutexCall(a, b) && a.registers.pc() == b.registers.pc() &&
         a.registers.sp() == b.registers.sp();
}

void Pause(DurationNs duration) {
  const timespec time{duration / kSecond, duration % kSecond};
  nanosleep(&time, nullptr);
}

}  // namespace

std::size_t Observer::IdleSiteHash::operator()(const IdleSite& site) const {
  return HashCombine(HashCombine(HashCombine(site.space, site.futex), site.pc), site.sp);
}

Observer::Observer(Sweeper& sweeper, Reader& reader, ObserverOptions options)
    : sweeper_(sweeper), reader_(reader), options_(std::move(options)) {}

std::vector<const TaskSample*> Observer::FirstSuspects(const RawLook& look) const {
  std::vector<const TaskSample*> suspects;
  // Whoever shares memory with a selected process (vfork, CLONE_VM) is part of the question.
  std::unordered_set<std::uint64_t> spaces;
  for (const TaskSample& task : look.first.tasks) {
    if (task.space != 0 && look.selected.contains(task.leader.tid)) spaces.insert(task.space);
  }
  for (const TaskSample& task : look.first.tasks) {
    if (!look.selected.contains(task.leader.tid) && !spaces.contains(task.space)) continue;
    if (InFutexWait(task) || (options_.all_waits && task.asleep && task.has_registers)) {
      suspects.push_back(&task);
    }
  }
  return suspects;
}

std::vector<const TaskSample*> Observer::HoldersOf(const SweepIndex& index,
                                                   const RawLook& look) const {
  std::vector<const TaskSample*> holders;
  for (const auto& [pid, process] : look.readings) {
    for (const auto& [tid, reading] : process.threads) {
      if (!IsLockLike(reading)) continue;
      const TaskSample* waiter = index.ByTid(tid);
      if (waiter == nullptr) continue;
      const TaskSample* holder =
          index.ByNamespaceTid(waiter->pid_ns, reading.read.wait->reading.owner_ns_tid);
      if (holder != nullptr) holders.push_back(holder);
    }
  }
  return holders;
}

// Waiters of other processes on locks that are shared between processes: they may wait for one of
// ours.
std::vector<const TaskSample*> Observer::SharedWaiters(const RawLook& look) const {
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
std::vector<const TaskSample*> Observer::LockedInSpaces(
    const SweepIndex& index, const RawLook& look,
    const std::vector<const TaskSample*>& near) const {
  std::unordered_set<std::uint64_t> spaces;
  for (const TaskSample* task : near) spaces.insert(task->space);
  std::vector<const TaskSample*> locked_in;
  for (const std::uint64_t space : spaces) {
    const std::vector<const TaskSample*>& tasks = index.OfSpace(space);
    const bool all = std::all_of(tasks.begin(), tasks.end(), [&](const TaskSample* task) {
      const ThreadReading* reading = Find(look, *task);
      return reading != nullptr && reading->read.wait && !reading->read.wait->reading.timed;
    });
    if (all) locked_in.insert(locked_in.end(), tasks.begin(), tasks.end());
  }
  return locked_in;
}

std::vector<const TaskSample*> Observer::NearLocks(const SweepIndex& index,
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

void Observer::ReadThreads(const SweepIndex& index, const std::vector<const TaskSample*>& tasks,
                           Detail detail, RawLook& look) {
  const bool lines = detail == Detail::kLines;
  std::unordered_map<pid_t, ProcessToRead> requests;
  for (const TaskSample* task : tasks) {
    if (!task->asleep || !task->has_registers || IsSick(*task)) continue;
    const ThreadReading* known = Find(look, *task);
    if (known != nullptr && (known->with_lines || !lines)) continue;
    const auto [request, is_new] = requests.try_emplace(task->leader.tid);
    if (is_new) request->second = RequestFor(index, *task);
    request->second.threads.push_back(ToRead(*task));
  }
  for (auto& [pid, request] : requests) {
    ProcessReadings& readings = look.readings[pid];
    request.source_lines = lines;
    request.want_process = !readings.facts;
    // The oldest sleeper first: if the process turns out to be sick, the likeliest culprits have
    // been read.
    ProcessRead answer = reader_.Read(request);
    NoteSick(index, answer);
    Merge(std::move(answer), lines, readings, look.losses);
  }
}

// A thread whose memory did not come is not asked for again while it sleeps the same sleep: each
// time would cost a reader process and its patience.
void Observer::NoteSick(const SweepIndex& index, const ProcessRead& answer) {
  for (const pid_t tid : answer.blocked) {
    if (const TaskSample* task = index.ByTid(tid)) sick_[tid] = {task->id, task->switches};
  }
}

void Observer::CountUnreadable(RawLook& look) {
  const SweepIndex first(look.first);
  const SweepIndex second(look.second);
  for (const auto& [pid, process] : look.readings) {
    for (const auto& [tid, reading] : process.threads) {
      if (reading.read.not_seen.empty()) continue;
      // Memory of a process that is about to end cannot be read either; only a wait that lasts
      // hides something.
      const TaskSample* before = first.ByTid(tid);
      const TaskSample* now = second.ByTid(tid);
      if (before == nullptr || now == nullptr || !SleptThrough(*before, *now)) continue;
      look.losses.push_back(
          {reading.read.not_seen, 1, true,
           "thread " + std::to_string(tid) + " of process " + std::to_string(pid)});
    }
  }
}

// What is not asked for again is still not seen.
void Observer::CountSick(const SweepIndex& index, RawLook& look) {
  std::erase_if(sick_, [&](const auto& entry) {
    const TaskSample* task = index.ByTid(entry.first);
    return task == nullptr || !IsSick(*task);
  });
  if (sick_.empty()) return;
  look.losses.push_back({"thread not readable: its memory did not come in time", sick_.size(), true,
                         "thread " + std::to_string(sick_.begin()->first)});
}

bool Observer::IsSick(const TaskSample& task) const {
  const auto found = sick_.find(task.id.tid);
  return found != sick_.end() && found->second.id == task.id &&
         found->second.switches == task.switches;
}

void Observer::ReadLocks(const SweepIndex& index, RawLook& look) {
  // What was read in an earlier look of a thread that has not run since is still true.
  for (auto it = cache_.begin(); it != cache_.end();) {
    const TaskSample* leader = index.ByTid(it->first);
    // An exec keeps the identity and changes everything else.
    if (leader == nullptr || leader->leader != it->second.leader ||
        (leader->space != 0 && leader->space != it->second.space)) {
      it = cache_.erase(it);
      continue;
    }
    ProcessReadings& readings = look.readings[it->first];
    readings.modules = it->second.modules;
    readings.facts = it->second.facts;
    for (const auto& [tid, cached] : it->second.threads) {
      const TaskSample* task = index.ByTid(tid);
      if (task != nullptr && task->id == cached.id && task->asleep &&
          task->switches == cached.switches) {
        readings.threads.emplace(tid, cached.reading);
      }
    }
    ++it;
  }
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
  ReadThreads(index, NearLocks(index, look), Detail::kLines, look);
}

// A tid in a shared lock's owner word means somebody who has the lock's file mapped, in whatever
// pid namespace, not merely a process that has that tid today.
void Observer::CheckSharedOwners(const SweepIndex& index, RawLook& look) {
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

void Observer::RefreshOwners(const SweepIndex& index, RawLook& look) {
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

tl::unexpected<Error> Observer::NothingMatches() const {
  const std::vector<pid_t>& pids = options_.filter.pids;
  if (pids.empty()) {
    return Fail(ErrorCode::kNotFound, "no process matches " + options_.filter.Text());
  }
  if (std::any_of(pids.begin(), pids.end(), IsAlive)) {
    return Fail(ErrorCode::kUnsupported,
                options_.filter.Text() + ": alive, but the kernel hides it from the sweep");
  }
  return Fail(ErrorCode::kNotFound, options_.filter.Text() + " has ended");
}

bool Observer::SomebodySpins(const RawLook& look) const {
  return std::any_of(look.first.tasks.begin(), look.first.tasks.end(), [&](const TaskSample& task) {
    return look.selected.contains(task.leader.tid) &&
           (task.state == RunState::kRunning || task.state == RunState::kRunnable);
  });
}

// Threads that wait for each other in a ring and were all woken during the look (a profiler's
// signals wake every thread a hundred times a second): one that sleeps through a shorter look
// would prove the ring.
bool Observer::HasRestlessRing(const RawLook& look) const {
  const SweepIndex first(look.first);
  const SweepIndex second(look.second);
  std::unordered_map<pid_t, pid_t> holder_of;  // of what a restless thread waits for
  for (const auto& [pid, process] : look.readings) {
    for (const auto& [tid, reading] : process.threads) {
      const TaskSample* before = first.ByTid(tid);
      const TaskSample* now = second.ByTid(tid);
      if (!IsLockLike(reading) || before == nullptr || now == nullptr) continue;
      if (SleptThrough(*before, *now)) continue;
      const TaskSample* holder =
          second.ByNamespaceTid(now->pid_ns, reading.read.wait->reading.owner_ns_tid);
      if (holder != nullptr) holder_of[tid] = holder->id.tid;
    }
  }
  // Each thread has one holder at most: walk, and remember which walk came by.
  std::unordered_map<pid_t, pid_t> visited;
  for (const auto& [start, unused] : holder_of) {
    for (pid_t at = start; holder_of.contains(at); at = holder_of.at(at)) {
      const auto [mark, is_new] = visited.try_emplace(at, start);
      if (is_new) continue;
      if (mark->second == start) return true;
      break;
    }
  }
  return false;
}

// The same look again without its slow part: the waits were decoded a moment ago, only their
// owners are read anew between two sweeps.
Status Observer::LookCloser(const std::vector<WantedThread>& wanted, RawLook& look) {
  Result<Sweep> first = sweeper_.Full({});
  if (!first) return Fail(first.error());
  // The readings are of the first sweep: who moved to another lock since then is not where its
  // reading says, however still it sleeps there.
  const SweepIndex before(look.first);
  const SweepIndex now(*first);
  for (auto& [pid, process] : look.readings) {
    std::erase_if(process.threads, [&](const auto& thread) {
      const TaskSample* then = before.ByTid(thread.first);
      const TaskSample* task = now.ByTid(thread.first);
      return then == nullptr || task == nullptr || then->id != task->id ||
             !(SleptThrough(*then, *task) || IsAtSamePlace(*then, *task));
    });
  }
  RefreshOwners(now, look);
  Result<Sweep> second = sweeper_.Full(wanted);
  if (!second) return Fail(second.error());
  look.first = std::move(*first);
  look.second = std::move(*second);
  return {};
}

Result<Observation> Observer::Look() {
  const TimeNs begin = MonotonicNow();
  const DurationNs cpu_begin = ProcessCpuTime();
  RawLook look;
  Result<Sweep> first = sweeper_.Full({});
  if (!first) return Fail(first.error());
  look.first = std::move(*first);
  Result<std::unordered_set<pid_t>> selected = SelectProcesses(options_.filter, look.first.tasks);
  if (!selected) return Fail(selected.error());
  look.selected = std::move(*selected);
  selected_ = look.selected;
  if (selected_.empty()) return NothingMatches();

  const SweepIndex index(look.first);
  CountSick(index, look);
  ReadLocks(index, look);
  if (options_.verdict_pause > 0 && !options_.filter.empty() && SomebodySpins(look)) {
    Pause(options_.verdict_pause);
  }

  std::vector<WantedThread> wanted;
  for (const TaskSample* task : NearLocks(index, look)) {
    // Where in the kernel a futex waiter sleeps is known; where its root does is the question.
    if (!InFutexWait(*task)) wanted.push_back({task->id.tid, true});
  }
  Result<Sweep> second = sweeper_.Full(wanted);
  if (!second) return Fail(second.error());
  look.second = std::move(*second);
  for (int i = 0; i < kCloserLooks && HasRestlessRing(look); ++i) {
    if (Status status = LookCloser(wanted, look); !status) return Fail(status.error());
  }
  const bool any_left =
      std::any_of(look.second.tasks.begin(), look.second.tasks.end(), [&](const TaskSample& task) {
        return task.state != RunState::kExited && look.selected.contains(task.leader.tid);
      });
  if (!any_left) return NothingMatches();

  BuildOptions build;
  build.all_threads = options_.all_waits || !options_.filter.empty();
  build.kernel_symbol = [this](std::uint64_t address) { return kernel_symbols_.Name(address); };
  CountUnreadable(look);
  MergeLosses(look.losses);
  Observation observation = BuildObservation(look, build, RealtimeOffset(), history_);
  observation.filter = options_.filter.Text();
  Remember(look, observation);
  FillCost(begin, cpu_begin, look, observation);
  return observation;
}

void Observer::Remember(const RawLook& look, const Observation& observation) {
  last_look_ = look.second.end;
  cache_.clear();
  watched_.clear();
  known_.clear();
  for (const TaskSample& task : look.second.tasks) known_.insert(task.id.tid);
  if (idle_sites_.size() > kMaxIdleSites) idle_sites_.clear();
  const SweepIndex first(look.first);
  const SweepIndex second(look.second);
  for (const auto& [pid, process] : look.readings) {
    CachedProcess cached;
    cached.modules = process.modules;
    cached.facts = process.facts;
    for (const auto& [tid, reading] : process.threads) {
      const TaskSample* task = second.ByTid(tid);
      if (task == nullptr) continue;
      cached.leader = task->leader;
      cached.space = task->space;
      // Only what held at both ends of the reading is worth keeping.
      const TaskSample* before = first.ByTid(tid);
      if (before == nullptr || !SleptThrough(*before, *task)) continue;
      cached.threads.emplace(tid, CachedThread{task->id, task->switches, reading});
      if (InFutexWait(*task) && reading.read.wait && !IsLockLike(reading)) {
        idle_sites_.insert(
            {task->space, task->arguments[0], task->registers.pc(), task->registers.sp()});
      }
    }
    if (cached.leader.tid != 0) cache_.emplace(pid, std::move(cached));
  }
  for (const Wait& wait : observation.waits) {
    if (wait.purpose == WaitPurpose::kEvent) continue;
    const Actor& actor = observation.actors[static_cast<std::size_t>(wait.actor)];
    watched_[actor.id.tid] = {actor.id, actor.switches, wait.since,
                              observation.end - wait.since >= options_.long_wait};
  }
}

Result<bool> Observer::Watch(DurationNs settle) {
  const std::vector<pid_t>& pids = options_.filter.pids;
  if (!pids.empty() && std::none_of(pids.begin(), pids.end(), IsAlive)) return NothingMatches();
  Result<Sweep> sweep = sweeper_.Steady(settle, {});
  if (!sweep) return Fail(sweep.error());
  if (!options_.filter.empty()) {
    // A filter by name or cgroup may select processes that began since.
    Result<std::unordered_set<pid_t>> selected = SelectProcesses(options_.filter, sweep->tasks);
    if (!selected) return Fail(selected.error());
    selected_.insert(selected->begin(), selected->end());
  }

  bool changed = false;
  std::size_t watched_still = 0;
  for (const StillSample& still : sweep->still) {
    // Passed over as too young by one sweep and as known by the next, when the clocks of two CPUs
    // differ: only a look can say what it waits for.
    if (known_.insert(still.tid).second) changed = true;
    const auto watched = watched_.find(still.tid);
    if (watched != watched_.end() && watched->second.switches == still.switches) ++watched_still;
  }
  for (const TaskSample& task : sweep->tasks) {
    known_.insert(task.id.tid);
    const auto watched = watched_.find(task.id.tid);
    if (watched != watched_.end() && watched->second.id == task.id &&
        watched->second.switches == task.switches) {
      ++watched_still;
      continue;
    }
    const bool selected = options_.filter.empty() || selected_.contains(task.leader.tid);
    if (!selected || !InFutexWait(task)) continue;
    const auto cached = cache_.find(task.leader.tid);
    if (cached != cache_.end()) {
      const auto thread = cached->second.threads.find(task.id.tid);
      if (thread != cached->second.threads.end() && thread->second.id == task.id &&
          thread->second.switches == task.switches) {
        continue;  // read in the last look, and idle
      }
    }
    if (!idle_sites_.contains(
            {task.space, task.arguments[0], task.registers.pc(), task.registers.sp()})) {
      changed = true;
    }
  }
  if (watched_still != watched_.size()) changed = true;
  for (const auto& [tid, watched] : watched_) {
    if (!watched.was_long && sweep->end - watched.since >= options_.long_wait) changed = true;
  }
  const bool refresh = !watched_.empty() || !options_.filter.empty();
  if (refresh && sweep->end - last_look_ >= kRefreshInterval) changed = true;
  return changed;
}

void Observer::FillCost(TimeNs begin, DurationNs cpu_begin, const RawLook& look,
                        Observation& observation) const {
  const ReaderCost reader = reader_.cost();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  Cost& cost = observation.cost;
  cost.read = reader.waited;
  cost.total = MonotonicNow() - begin;
  cost.sweep = std::max<DurationNs>(0, look.second.end - look.second.begin) +
               std::max<DurationNs>(0, look.first.end - look.first.begin);
  cost.cpu = ProcessCpuTime() - cpu_begin;
  cost.reader_cpu = reader.cpu;
  cost.resident_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  cost.reader_resident_bytes = reader.resident_bytes;
}

}  // namespace ct
