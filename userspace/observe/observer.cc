#include "observe/observer.h"

#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <fstream>
#include <limits>

namespace ct {
namespace {

// A chain of holders through more processes than this is cut; each round reads what the last named.
constexpr int kMaxRounds = 32;
constexpr std::size_t kMaxIdleSites = 200'000;
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

ProcessToRead RequestFor(const SweepIndex& index, const TaskSample& any) {
  ProcessToRead request;
  request.pid = any.leader.tid;
  for (const TaskSample* task : index.OfSpace(any.space)) {
    // The thread pointer of a running thread is in its CPU, not in memory.
    request.space_threads.push_back(
        {task->ns_tid, task->has_registers ? task->registers.thread_pointer : 0});
  }
  return request;
}

// Appends what an answer says to what is known of the process; module indices are shifted.
void Merge(ProcessRead answer, bool with_lines, ProcessReadings& into, std::vector<Loss>& losses) {
  const auto base = static_cast<ModuleIndex>(into.modules.size());
  into.modules.insert(into.modules.end(), answer.modules.begin(), answer.modules.end());
  for (ThreadRead& thread : answer.threads) {
    if (thread.gone) continue;
    for (Frame& frame : thread.stack.frames) {
      if (frame.module != kNoIndex) frame.module += base;
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

// Running, not a zombie.
bool IsAlive(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(stat, line)) return false;
  // "pid (comm) S ...": the name may hold anything, so the last parenthesis counts.
  const std::size_t name_end = line.rfind(')');
  return name_end != std::string::npos && name_end + 2 < line.size() &&
         line[name_end + 2] != 'Z' && line[name_end + 2] != 'X';
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
  for (const TaskSample& task : look.first.tasks) {
    if (!look.selected.contains(task.leader.tid)) continue;
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
  const bool any_shared = std::any_of(
      look.readings.begin(), look.readings.end(), [](const auto& process) {
        return std::any_of(process.second.threads.begin(), process.second.threads.end(),
                           [](const auto& thread) {
                             return thread.second.read.wait &&
                                    thread.second.read.wait->reading.process_shared;
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

std::vector<const TaskSample*> Observer::NearLocks(const SweepIndex& index,
                                                   const RawLook& look) const {
  std::vector<const TaskSample*> near = HoldersOf(index, look);
  for (const auto& [pid, process] : look.readings) {
    for (const auto& [tid, reading] : process.threads) {
      const TaskSample* task = index.ByTid(tid);
      if (task != nullptr && IsLockLike(reading)) near.push_back(task);
    }
  }
  std::sort(near.begin(), near.end());
  near.erase(std::unique(near.begin(), near.end()), near.end());
  return near;
}

void Observer::ReadThreads(const SweepIndex& index, const std::vector<const TaskSample*>& tasks,
                           Detail detail, RawLook& look) {
  const bool lines = detail == Detail::kLines;
  std::unordered_map<pid_t, ProcessToRead> requests;
  for (const TaskSample* task : tasks) {
    if (!task->asleep || !task->has_registers) continue;
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
    Merge(reader_.Read(request), lines, readings, look.losses);
  }
}

void Observer::ReadLocks(const SweepIndex& index, RawLook& look) {
  // What was read in an earlier look of a thread that has not run since is still true.
  for (auto it = cache_.begin(); it != cache_.end();) {
    const TaskSample* leader = index.ByTid(it->first);
    if (leader == nullptr || leader->leader != it->second.leader) {
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

// A tid in a shared lock's owner word means somebody who has the lock's file mapped, not merely a
// process that has that tid today.
void Observer::CheckSharedOwners(const SweepIndex& index, RawLook& look) {
  std::unordered_map<pid_t, ProcessToRead> requests;
  for (const auto& [pid, process] : look.readings) {
    for (const auto& [tid, reading] : process.threads) {
      if (!IsLockLike(reading) || !reading.read.wait->reading.process_shared) continue;
      const TaskSample* waiter = index.ByTid(tid);
      if (waiter == nullptr) continue;
      const LocatedWait& wait = *reading.read.wait;
      const TaskSample* owner = index.ByNamespaceTid(waiter->pid_ns, wait.reading.owner_ns_tid);
      if (owner == nullptr || owner->space == waiter->space) continue;
      ProcessToRead& request = requests[owner->leader.tid];
      request.pid = owner->leader.tid;
      request.files.push_back({wait.device, wait.inode});
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
    for (OwnerRead& owner : answer.owners) {
      const auto thread = process.threads.find(owner.tid);
      if (thread == process.threads.end()) continue;
      if (owner.confirmed) {
        thread->second.read.wait = std::move(owner.wait);
      } else {
        process.threads.erase(thread);  // decoded anew below
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

Result<Observation> Observer::Look() {
  const TimeNs begin = MonotonicNow();
  const DurationNs cpu_begin = ProcessCpuTime();
  RawLook look;
  Result<Sweep> first = sweeper_.Full({});
  if (!first) return Fail(first.error());
  look.first = std::move(*first);
  Result<std::unordered_set<pid_t>> selected =
      SelectProcesses(options_.filter, look.first.tasks);
  if (!selected) return Fail(selected.error());
  look.selected = std::move(*selected);
  selected_ = look.selected;
  if (selected_.empty()) return NothingMatches();

  const SweepIndex index(look.first);
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
  const bool any_left =
      std::any_of(look.second.tasks.begin(), look.second.tasks.end(), [&](const TaskSample& task) {
        return task.state != RunState::kExited && look.selected.contains(task.leader.tid);
      });
  if (!any_left) return NothingMatches();

  BuildOptions build;
  build.all_threads = options_.all_waits || !options_.filter.empty();
  build.kernel_symbol = [this](std::uint64_t address) { return kernel_symbols_.Name(address); };
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
    const auto watched = watched_.find(still.tid);
    if (watched != watched_.end() && watched->second.switches == still.switches) ++watched_still;
  }
  for (const TaskSample& task : sweep->tasks) {
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
