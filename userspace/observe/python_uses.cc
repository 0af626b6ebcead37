#include "observe/python_uses.h"

#include <utility>

namespace ct {
namespace {

// Of a task or a thread.
template <class Runner>
void AddUsesOf(const Runner& runner, pid_t thread, ActorIndex actor, PythonGraph& graph) {
  if (runner.uses.empty() || actor == kNoIndex || !graph.comparison().IsAsleep(thread)) return;
  for (const PythonUse& from : runner.uses) {
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

void AddUses(PythonGraph& graph) {
  for (const PythonTask& task : graph.look().second.tasks) {
    AddUsesOf(task, task.thread, graph.TaskAt(task.address), graph);
  }
  for (const PythonThread& thread : graph.look().second.threads) {
    AddUsesOf(thread, thread.native_id, graph.ThreadOf(thread.native_id), graph);
  }
}

}  // namespace ct
