#include "observe/watch_list.h"

#include <algorithm>
#include <limits>

#include "base/hash.h"

namespace ct {
namespace {

constexpr std::size_t kMaxIdleSites = 200'000;
// How often a state that nobody's sleep shows to have changed is looked at again: a root that runs,
// a filter's processes that have come or gone.
constexpr DurationNs kRefreshInterval = 5 * kSecond;
// Tasks come and go without a thread that tells: more often, where a look takes less than 2 % of
// the time until the next.
constexpr DurationNs kTasksInterval = kSecond;
constexpr DurationNs kCostFactor = 50;

}  // namespace

std::size_t WatchList::IdleSiteHash::operator()(const IdleSite& site) const {
  return HashCombine(HashCombine(HashCombine(site.space, site.futex), site.pc), site.sp);
}

WatchList::IdleSite WatchList::SiteOf(const TaskSample& task) {
  return {task.space, task.arguments[0], task.registers.pc(), task.registers.sp()};
}

void WatchList::Remember(const RawLook& look, const SweepIndex& first, const SweepIndex& second,
                         const Observation& observation) {
  last_look_ = look.second.end;
  const bool any_task =
      std::any_of(observation.actors.begin(), observation.actors.end(),
                  [](const Actor& actor) { return actor.kind == ActorKind::kTask; });
  refresh_ = any_task ? std::clamp((look.second.end - look.first.begin) * kCostFactor,
                                   kTasksInterval, kRefreshInterval)
                      : kRefreshInterval;
  known_.Clear();
  for (const TaskSample& task : look.second.tasks) known_.Insert(task.id.tid);
  if (idle_sites_.size() > kMaxIdleSites) idle_sites_.clear();
  for (const auto& [pid, process] : look.readings) {
    for (const auto& [tid, reading] : process.threads) {
      const TaskSample* before = first.ByTid(tid);
      const TaskSample* task = second.ByTid(tid);
      if (before == nullptr || task == nullptr || !SleptThrough(*before, *task)) continue;
      if (InFutexWait(*task) && reading.read.wait && !IsLockLike(reading)) {
        idle_sites_.insert(SiteOf(*task));
      }
    }
  }
  watched_.clear();
  next_long_ = std::numeric_limits<TimeNs>::max();
  for (const Wait& wait : observation.waits) {
    if (wait.purpose == WaitPurpose::kEvent) continue;
    const Actor& actor = observation.actors[static_cast<std::size_t>(wait.actor)];
    watched_[actor.id.tid] = {actor.id, actor.switches};
    if (observation.end - wait.since < long_wait_) {
      next_long_ = std::min(next_long_, wait.since + long_wait_);
    }
  }
}

bool WatchList::IsWatched(pid_t tid, std::uint64_t switches) const {
  const auto watched = watched_.find(tid);
  return watched != watched_.end() && watched->second.switches == switches;
}

// A futex wait that nothing known explains.
bool WatchList::IsNews(const TaskSample& task, const ReadingCache& cache) const {
  return task.asleep && InFutexWait(task) && !cache.Knows(task) &&
         !idle_sites_.contains(SiteOf(task));
}

bool WatchList::HasChanged(const Sweep& sweep, bool everything,
                           const std::unordered_set<pid_t>& selected, const ReadingCache& cache) {
  bool changed = false;
  std::size_t watched_still = 0;
  for (const StillSample& still : sweep.still) {
    // Passed over as too young by one sweep and as known by the next, when the clocks of two CPUs
    // differ: only a look can say what it waits for.
    if (known_.Insert(still.tid)) changed = true;
    if (IsWatched(still.tid, still.switches)) ++watched_still;
  }
  for (const TaskSample& task : sweep.tasks) {
    known_.Insert(task.id.tid);
    if (IsWatched(task.id.tid, task.switches) && watched_.at(task.id.tid).id == task.id) {
      ++watched_still;
    } else if ((everything || selected.contains(task.leader.tid)) && IsNews(task, cache)) {
      changed = true;
    }
  }
  if (watched_still != watched_.size() || sweep.end >= next_long_) changed = true;
  const bool refresh = !watched_.empty() || !everything;
  return changed || (refresh && sweep.end - last_look_ >= refresh_);
}

}  // namespace ct
