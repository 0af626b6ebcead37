#include "observe/reading_cache.h"

namespace ct {
namespace {

std::uint64_t SwitchesOf(const SweepIndex& index, std::uint64_t space) {
  std::uint64_t sum = 0;
  for (const TaskSample* task : index.OfSpace(space)) sum += task->switches;
  return sum;
}

}  // namespace

void ReadingCache::Recall(const SweepIndex& index, RawLook& look) {
  for (const auto& [pid, cached] : processes_) {
    const TaskSample* leader = index.ByTid(pid);
    // An exec keeps the identity and changes everything else.
    if (leader == nullptr || leader->leader != cached.leader ||
        (leader->space != 0 && leader->space != cached.space)) {
      continue;
    }
    ProcessReadings& readings = look.readings[pid];
    readings.modules = cached.modules;
    readings.facts = cached.facts;
    readings.facts_are_old = SwitchesOf(index, cached.space) != cached.switches;
    for (const auto& [tid, thread] : cached.threads) {
      const TaskSample* task = index.ByTid(tid);
      if (task != nullptr && Knows(*task)) readings.threads.emplace(tid, thread.reading);
    }
  }
}

void ReadingCache::Remember(const RawLook& look, const SweepIndex& first,
                            const SweepIndex& second) {
  processes_.clear();
  for (const auto& [pid, process] : look.readings) {
    CachedProcess cached;
    cached.modules = process.modules;
    cached.facts = process.facts;
    for (const auto& [tid, reading] : process.threads) {
      const TaskSample* task = second.ByTid(tid);
      if (task == nullptr) continue;
      cached.leader = task->leader;
      cached.space = task->space;
      const TaskSample* before = first.ByTid(tid);
      if (before == nullptr || !SleptThrough(*before, *task)) continue;
      cached.threads.emplace(tid, CachedThread{task->id, task->switches, reading});
    }
    if (cached.leader.tid == 0) continue;
    // Facts that were old and not asked for again stay old.
    cached.switches = process.facts_are_old ? 0 : SwitchesOf(first, cached.space);
    processes_.emplace(pid, std::move(cached));
  }
}

bool ReadingCache::Knows(const TaskSample& task) const {
  const auto process = processes_.find(task.leader.tid);
  if (process == processes_.end()) return false;
  const auto thread = process->second.threads.find(task.id.tid);
  return thread != process->second.threads.end() && thread->second.id == task.id && task.asleep &&
         thread->second.switches == task.switches;
}

}  // namespace ct
