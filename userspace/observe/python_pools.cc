#include "observe/python_pools.h"

#include <algorithm>
#include <unordered_set>
#include <vector>

namespace ct {
namespace {

class PoolBuilder {
 public:
  explicit PoolBuilder(PythonGraph& graph) : graph_(graph) {
    for (const PythonTask& task : graph.look().second.tasks) tasks_.emplace(task.address, &task);
    for (const PythonThread& thread : graph.look().second.threads) {
      threads_.emplace(thread.address, &thread);
    }
  }

  void Add(const PythonPool& pool) {
    const ResourceIndex index = graph_.ResourceAt(PoolResource(pool.object, pool.type));
    graph_.NotePool(pool.object, index);
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
    resource.capacity = pool.capacity;
    resource.in_use = pool.in_use;
    resource.idle = pool.idle;
    resource.lost_units = std::move(lost);
    resource.changed_hands = !IsSteady(pool);
    const bool exhausted = pool.capacity && pool.in_use >= *pool.capacity;
    resource.holders_known = exhausted && held == pool.in_use && !resource.changed_hands;
  }

 private:
  // As long as what is in use changes from look to look, nobody knows who will give a unit back.
  [[nodiscard]] bool IsSteady(const PythonPool& pool) const {
    const auto& before = graph_.look().first.pools;
    return std::find(before.begin(), before.end(), pool) != before.end();
  }

  [[nodiscard]] ActorIndex ActorOf(const PythonUnitHolder& holder) const {
    if (holder.task != 0) return graph_.TaskAt(holder.task);
    const auto thread = threads_.find(holder.thread);
    return thread != threads_.end() ? graph_.ThreadOf(thread->second->native_id) : kNoIndex;
  }

  // From the frame on that has it. A task that runs in its caller's wait_for() has its frames on
  // the caller's stack.
  [[nodiscard]] StackIndex PlaceOf(const PythonUnitHolder& holder) {
    if (holder.task == 0) {
      const PythonThread& thread = *threads_.at(holder.thread);
      return holder.frame < thread.frames.size()
                 ? graph_.AddStack(thread.frames, holder.frame, thread.truncated)
                 : kNoIndex;
    }
    const PythonCallers& callers = graph_.callers();
    const PythonTask& whole = callers.Whole(*tasks_.at(callers.ShownAs(holder.task)));
    const std::size_t frame = callers.FramesInside(holder.task) + holder.frame;
    return frame < whole.frames.size() ? graph_.AddStack(whole.frames, frame, whole.truncated)
                                       : kNoIndex;
  }

  // Its likeliest holder; false if there is none.
  bool AddUnit(const PythonUnit& unit, ResourceIndex index) {
    std::vector<const PythonUnitHolder*> holders;  // one an actor
    std::unordered_set<ActorIndex> seen;
    for (const PythonUnitHolder& holder : unit.holders) {
      const ActorIndex actor = ActorOf(holder);
      if (actor != kNoIndex && seen.insert(actor).second) holders.push_back(&holder);
    }
    if (holders.empty()) return false;
    const PythonUnitHolder& first = *holders.front();
    const bool only_block = first.in_block && (holders.size() == 1 || !holders[1]->in_block);
    const bool certain = holders.size() == 1 || only_block;
    graph_.AddHold(ActorOf(first), index, certain ? Evidence::kCertain : Evidence::kProbable,
                   first.in_block ? "through a with block"
                   : certain      ? "by the only reference to it"
                                  : "by the nearest of several references to it",
                   PlaceOf(first));
    return true;
  }

  PythonGraph& graph_;
  std::unordered_map<std::uint64_t, const PythonTask*> tasks_;      // by address
  std::unordered_map<std::uint64_t, const PythonThread*> threads_;  // by address
};

}  // namespace

void AddPools(PythonGraph& graph) {
  PoolBuilder builder(graph);
  for (const PythonPool& pool : graph.look().second.pools) builder.Add(pool);
}

}  // namespace ct
