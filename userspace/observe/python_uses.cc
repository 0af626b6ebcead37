#include "observe/python_uses.h"

#include <cstdint>
#include <unordered_set>
#include <utility>

namespace ct {
namespace {

using Objects = std::unordered_set<std::uint64_t>;

// Of a task or a thread. `beside`: of one that was awake, only uses of these objects.
template <class Runner>
void AddUsesOf(const Runner& runner, ActorIndex actor, const Objects* beside, PythonGraph& graph) {
  if (actor == kNoIndex) return;
  for (const PythonUse& from : runner.uses) {
    if (beside != nullptr && !beside->contains(from.object)) continue;
    PythonResource object;
    object.kind = ResourceKind::kObject;
    object.address = from.object;
    object.type = PublicName(from.type);
    Use use;
    use.actor = actor;
    use.resource = graph.ResourceAt(object);
    use.kind = from.attribute.empty() ? UseKind::kInside : UseKind::kThreadLocal;
    use.evidence =
        graph.comparison().WasUsing(runner, from) ? Evidence::kCertain : Evidence::kProbable;
    use.at = graph.AddStack(runner.frames, from.frame, runner.truncated);
    use.attribute = from.attribute;
    use.read_line = from.read_line;
    graph.out().uses.push_back(std::move(use));
  }
}

}  // namespace

// Who slept while all was read was inside all that time: a thread that ran then, and was seen
// inside of the same object, was so beside it. sqlite3 computes without the GIL, while others wait
// for the connection's own mutex.
void AddUses(PythonGraph& graph) {
  const PythonComparison& comparison = graph.comparison();
  for (const PythonTask& task : graph.look().second.tasks) {
    if (!comparison.IsAsleep(task.thread)) continue;
    AddUsesOf(task, graph.TaskAt(task.address), nullptr, graph);
  }
  Objects in_use;
  for (const PythonThread& thread : graph.look().second.threads) {
    if (!comparison.IsAsleep(thread.native_id)) continue;
    AddUsesOf(thread, graph.ThreadOf(thread.native_id), nullptr, graph);
    for (const PythonUse& use : thread.uses) {
      if (use.attribute.empty()) in_use.insert(use.object);
    }
  }
  for (const PythonThread& thread : graph.look().second.threads) {
    if (comparison.IsAsleep(thread.native_id) || thread.running_task != 0) continue;
    AddUsesOf(thread, graph.ThreadOf(thread.native_id), &in_use, graph);
  }
}

}  // namespace ct
