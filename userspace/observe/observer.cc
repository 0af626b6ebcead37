#include "observe/observer.h"

#include <time.h>

#include <algorithm>

#include <sys/resource.h>

#include "observe/loop_state.h"
#include "observe/python_builder.h"
#include "observe/python_reading.h"
#include "observe/restless.h"

namespace ct {
namespace {

// Each takes about a millisecond, and a thread that is woken 200 times a second sleeps through
// most.
constexpr int kCloserLooks = 5;
// A look that missed a thread which was awake for a moment is taken again for so long; longer if
// it saw what may be a deadlock.
constexpr DurationNs kLookAgainFor = 150 * kMillisecond;
constexpr DurationNs kLookAgainForARing = kSecond;
// On a busy CPU a thread that a signal woke waits for its turn for some milliseconds.
constexpr DurationNs kLookAgainAfter = 3 * kMillisecond;

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

void CountUnreadable(const SweepIndex& first, const SweepIndex& second, RawLook& look) {
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

// What the tasks of this many processes do is read, and of none if more are selected: whoever looks
// at a whole host pays for threads only.
constexpr std::size_t kMaxPythons = 16;

ProcessIndex ProcessOf(pid_t pid, const Observation& observation) {
  const auto row = std::find_if(observation.processes.begin(), observation.processes.end(),
                                [&](const Process& process) { return process.id.tid == pid; });
  if (row == observation.processes.end()) return kNoIndex;
  return static_cast<ProcessIndex>(row - observation.processes.begin());
}

void AddPythonOf(pid_t pid, const PythonLook& python, const PythonPoolAges& pool_ages,
                 const SweepIndex& first, const SweepIndex& second, Observation& observation) {
  PythonPlace place;
  place.process = ProcessOf(pid, observation);
  if (place.process == kNoIndex) return;  // it has ended meanwhile
  place.threads_are_known = true;
  place.pool_ages = &pool_ages;
  place.thread = [&](const PythonThread& thread) {
    PythonThreadInfo loop;
    const TaskSample* before = first.ByTid(thread.host_tid);
    const TaskSample* now = second.ByTid(thread.host_tid);
    if (now == nullptr || now->leader.tid != pid) return loop;
    loop.id = now->id;
    if (before != nullptr && SleptThrough(*before, *now)) loop.slept_since = now->off_cpu_since;
    return loop;
  };
  AddPython(python, place, observation);
}

char StateLetter(const TaskSample& task) {
  switch (task.state) {
    case RunState::kRunning:
    case RunState::kRunnable:
      return 'R';
    case RunState::kSleeping:
      return 'S';
    case RunState::kUninterruptible:
      return 'D';
    case RunState::kUnknown:
    case RunState::kExited:
      return 0;
    default:
      return 'T';
  }
}

void AddLoopStatesOf(const PythonLook& python, const LoopStatePlace& times, const SweepIndex& first,
                     const SweepIndex& second, Observation& observation) {
  LoopStatePlace place = times;
  place.thread = [&](const PythonThread& thread) {
    LoopStatePlace::Thread loop;
    const TaskSample* before = first.ByTid(thread.host_tid);
    const TaskSample* now = second.ByTid(thread.host_tid);
    if (before == nullptr || now == nullptr) return loop;
    if (SleptThrough(*before, *now)) loop.slept_since = now->off_cpu_since;
    loop.ran = now->cpu_time - before->cpu_time;
    loop.activity.state = StateLetter(*now);
    if (now->asleep) {
      loop.activity.syscall = now->syscall;
      loop.activity.arguments = now->arguments;
    }
    for (std::size_t i = 0; i < observation.actors.size(); ++i) {
      const Actor& actor = observation.actors[i];
      if (actor.kind != ActorKind::kThread || actor.id != now->id) continue;
      loop.actor = static_cast<ActorIndex>(i);
      loop.activity.object = actor.syscall.object;
    }
    return loop;
  };
  AddLoopStates(python, place, observation);
}

bool HasRestlessPython(const RawLook& look) {
  return std::any_of(look.python.begin(), look.python.end(),
                     [](const auto& process) { return IsRestless(process.second); });
}

void Pause(DurationNs duration) {
  const timespec time{duration / kSecond, duration % kSecond};
  nanosleep(&time, nullptr);
}

}  // namespace

Observer::Observer(Sweeper& sweeper, Reader& reader, History& history, ObserverOptions options)
    : sweeper_(sweeper),
      reader_(reader),
      options_(std::move(options)),
      look_reader_(reader, options_.all_waits, options_.long_wait),
      watch_(options_.long_wait),
      history_(history) {}

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
      const bool same = then != nullptr && task != nullptr && then->id == task->id;
      return !same || !(SleptThrough(*then, *task) || IsAtSamePlace(*then, *task));
    });
  }
  look_reader_.RefreshOwners(now, look);
  Result<Sweep> second = sweeper_.Full(wanted);
  if (!second) return Fail(second.error());
  look.first = std::move(*first);
  look.second = std::move(*second);
  return {};
}

bool Observer::ReadsPython() const {
  return !options_.filter.empty() && selected_.size() <= kMaxPythons;
}

void Observer::FollowTaskOrigins() {
  if (options_.task_origins != nullptr && ReadsPython()) options_.task_origins->Follow(selected_);
}

// Sweep, read, sweep.
Result<RawLook> Observer::LookOnce() {
  RawLook look;
  Result<Sweep> first = sweeper_.Full({});
  if (!first) return Fail(first.error());
  look.first = std::move(*first);
  Result<std::unordered_set<pid_t>> selected = SelectProcesses(options_.filter, look.first.tasks);
  if (!selected) return Fail(selected.error());
  look.selected = std::move(*selected);
  selected_ = look.selected;
  if (selected_.empty()) return NothingMatches();

  if (options_.given_locks) look.given_locks = options_.given_locks();
  if (options_.seen_holders) look.seen_holders = options_.seen_holders();
  FollowTaskOrigins();
  if (ReadsPython()) BeginPython(reader_, options_.exclusive_classes, look);
  const SweepIndex index(look.first);
  look_reader_.CountSick(index, look);
  cache_.Recall(index, look);
  look_reader_.ReadLocks(index, look);
  if (options_.verdict_pause > 0 && !options_.filter.empty() && SomebodySpins(look)) {
    Pause(options_.verdict_pause);
  }
  EndPython(reader_, options_.exclusive_classes, look);

  std::vector<WantedThread> wanted;
  for (const TaskSample* task : look_reader_.NearLocks(index, look)) {
    // Where in the kernel a futex waiter sleeps is known; where its root does is the question.
    if (!InFutexWait(*task)) wanted.push_back({task->id.tid, true});
  }
  Result<Sweep> second = sweeper_.Full(wanted);
  if (!second) return Fail(second.error());
  look.second = std::move(*second);
  std::vector<pid_t> ring = FindRestlessRing(look, index, SweepIndex(look.second));
  for (int i = 0; i < kCloserLooks && !ring.empty(); ++i) {
    if (Status status = LookCloser(wanted, look); !status) return Fail(status.error());
    const SweepIndex closer(look.first);
    // What somebody waits for who was awake just now is not known any more.
    if (std::any_of(ring.begin(), ring.end(), [&](pid_t tid) {
          const TaskSample* task = closer.ByTid(tid);
          return task != nullptr && !task->asleep && !InFutexWait(*task);
        })) {
      break;
    }
    ring = FindRestlessRing(look, closer, SweepIndex(look.second));
  }
  if (!ring.empty()) look.restless_ring = ring.front();
  look.restless = look.restless_ring.has_value();
  if (options_.once && !look.restless) {
    look.restless = HasMissedHolder(look, SweepIndex(look.first), SweepIndex(look.second)) ||
                    HasRestlessPython(look);
  }
  const bool any_left =
      std::any_of(look.second.tasks.begin(), look.second.tasks.end(), [&](const TaskSample& task) {
        return task.state != RunState::kExited && look.selected.contains(task.leader.tid);
      });
  if (!any_left) return NothingMatches();
  return look;
}

Result<Observation> Observer::Look() {
  const TimeNs begin = MonotonicNow();
  const DurationNs cpu_begin = ProcessCpuTime();
  Result<RawLook> look = LookOnce();
  while (options_.once && look && look->restless) {
    const bool may_be_ring = look->restless_ring || HasRestlessPython(*look);
    const DurationNs enough = may_be_ring ? kLookAgainForARing : kLookAgainFor;
    if (MonotonicNow() - begin > enough) break;
    Pause(kLookAgainAfter);
    look = LookOnce();
  }
  if (!look) return Fail(look.error());

  BuildOptions build;
  build.all_threads = options_.all_waits || !options_.filter.empty();
  build.long_wait = options_.long_wait;
  build.kernel_symbol = [this](std::uint64_t address) { return kernel_symbols_.Name(address); };
  const SweepIndex first(look->first);
  const SweepIndex second(look->second);
  // After the sweeps: who was given a lock meanwhile is not to be taken for waiting for it.
  if (options_.given_locks) look->given_locks = options_.given_locks();
  CountUnreadable(first, second, *look);
  if (options_.once && look->restless_ring) {
    look->losses.push_back({"threads seem to wait for each other, and were woken during every look",
                            1, true, "thread " + std::to_string(*look->restless_ring)});
  }
  MergeLosses(look->losses);
  Observation observation = BuildObservation(*look, build, RealtimeOffset(), history_);
  observation.filter = options_.filter.Text();
  std::erase_if(pool_ages_, [&](const auto& ages) { return !look->python.contains(ages.first); });
  for (auto& [pid, python] : look->python) {
    if (options_.task_origins != nullptr) {
      options_.task_origins->AddToTasks(pid, python.second_begin, python.second);
    }
    pool_ages_[pid].Update(python);
    AddPythonOf(pid, python, pool_ages_[pid], first, second, observation);
    if (options_.loop_block == 0) continue;
    AddLoopStatesOf(python, {options_.loop_block, look->first.begin, look->second.end, {}}, first,
                    second, observation);
  }
  if (!look->python.empty()) observation.loops.threshold = options_.loop_block;
  Search(*look, observation);
  if (options_.task_origins != nullptr) options_.task_origins->Tell(observation);
  // Found once, they stay so while somebody goes on waiting.
  std::erase_if(abandoned_, [&](const auto& locks) { return !look->python.contains(locks.first); });
  for (const auto& [pid, locks] : abandoned_) {
    AddAbandoned(locks, ProcessOf(pid, observation), observation);
  }
  cache_.Remember(*look, first, second);
  watch_.Remember(*look, first, second, observation);
  FillCost(begin, cpu_begin, *look, observation);
  return observation;
}

void Observer::Search(const RawLook& look, Observation& observation) {
  const TimeNs now = MonotonicNow();
  if (look.python.empty() || (searched_ && now - *searched_ < options_.search_interval)) return;
  searched_ = now;
  for (const auto& [pid, python] : look.python) {
    const ProcessIndex process = ProcessOf(pid, observation);
    if (process == kNoIndex) continue;  // it has ended meanwhile
    const auto found = LookForForgotten(reader_, pid, options_.task_origins, observation.losses);
    if (!found) continue;
    AddForgotten(*found, process, observation);
    abandoned_[pid] = AbandonedIn(*found);
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
  return watch_.HasChanged(*sweep, options_.filter.empty(), selected_, cache_);
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
