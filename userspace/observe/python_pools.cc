#include "observe/python_pools.h"

#include <algorithm>
#include <unordered_set>

namespace ct {

PythonPools::PythonPools(PythonGraph& graph, const PythonCallers& callers)
    : graph_(graph), callers_(callers) {
  for (const PythonTask& task : graph.look().second.tasks) tasks_.emplace(task.address, &task);
  for (const PythonThread& thread : graph.look().second.threads) {
    threads_.emplace(thread.address, &thread);
  }
}

void PythonPools::Add() {
  for (const PythonPool& pool : graph_.look().second.pools) Add(pool);
}

// As long as what is in use changes from look to look, nobody knows who will give a unit back.
bool PythonPools::IsSteady(const PythonPool& pool) const {
  const auto& before = graph_.look().first.pools;
  return std::find(before.begin(), before.end(), pool) != before.end();
}

void PythonPools::Add(const PythonPool& pool) {
  const ResourceIndex index = graph_.ResourceAt(PoolResource(pool.object));
  std::size_t held = 0;
  std::vector<LostUnit> lost;
  for (const PythonUnit& unit : pool.units) {
    if (AddUnit(unit, index)) {
      ++held;
    } else if (unit.holders.empty()) {
      lost.push_back({unit.object, unit.type, unit.referrer});
    }
  }
  Resource& resource = graph_.resource(index);
  resource.type = PoolName(pool.type);
  resource.capacity = pool.capacity;
  resource.in_use = pool.in_use;
  resource.idle = pool.idle;
  resource.lost_units = std::move(lost);
  resource.changed_hands = !IsSteady(pool);
  const bool exhausted = pool.capacity && pool.in_use >= *pool.capacity;
  resource.holders_known = exhausted && held == pool.in_use && !resource.changed_hands;
}

std::vector<PythonPools::Holder> PythonPools::HoldersOf(const PythonUnit& unit) const {
  std::vector<Holder> holders;
  std::unordered_set<ActorIndex> seen;
  for (const PythonUnitHolder& holder : unit.holders) {
    ActorIndex actor = kNoIndex;
    const auto thread = threads_.find(holder.thread);
    if (holder.task != 0) {
      actor = graph_.TaskAt(callers_.ShownAs(holder.task));
    } else if (thread != threads_.end()) {
      actor = graph_.ThreadOf(thread->second->native_id);
    }
    if (actor != kNoIndex && seen.insert(actor).second) holders.push_back({actor, &holder});
  }
  return holders;
}

StackIndex PythonPools::StackOf(const PythonUnitHolder& holder) {
  if (holder.task == 0) {
    const PythonThread& thread = *threads_.at(holder.thread);
    if (holder.frame >= thread.frames.size()) return kNoIndex;
    return graph_.AddStack(thread.frames, holder.frame, thread.truncated);
  }
  const auto task = tasks_.find(callers_.ShownAs(holder.task));
  if (task == tasks_.end()) return kNoIndex;
  const PythonTask& whole = callers_.Whole(*task->second);
  const std::size_t frame = callers_.FramesInside(holder.task) + holder.frame;
  if (frame >= whole.frames.size()) return kNoIndex;
  return graph_.AddStack(whole.frames, frame, whole.truncated);
}

bool PythonPools::AddUnit(const PythonUnit& unit, ResourceIndex pool) {
  const std::vector<Holder> holders = HoldersOf(unit);
  if (holders.empty()) return false;
  const Holder& first = holders.front();
  const bool only_block = first.how->in_block && (holders.size() == 1 || !holders[1].how->in_block);
  const bool certain = holders.size() == 1 || only_block;
  graph_.AddHold(first.actor, pool, certain ? Evidence::kCertain : Evidence::kProbable,
                 first.how->in_block ? "through a with block"
                 : certain           ? "by the only reference to it"
                                     : "by the nearest of several references to it",
                 StackOf(*first.how));
  return true;
}

}  // namespace ct
