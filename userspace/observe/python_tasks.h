// Python's tasks as actors, with what they wait for and hold.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "observe/python_callers.h"
#include "observe/python_graph.h"

namespace ct {

class PythonTasks {
 public:
  explicit PythonTasks(PythonGraph& graph);
  [[nodiscard]] const PythonCallers& callers() const { return callers_; }

  // Those that are not finished.
  void AddActors();
  void AddWaits();
  // Whoever waits for a task with a timeout cancels it when the time is over (all do but
  // asyncio.wait): that ends the task's own wait, whatever it is for.
  void HandDownDeadlines();
  void AddHolds();
  // A task goes on only when the thread of its loop does. Where that thread is blocked, those that
  // somebody waits for wait for the loop. After all other waits and holds.
  void WaitForBlockedLoops();

 private:
  void AddActor(const PythonTask& own);
  StackIndex CreatedAt(const PythonTask& task);
  // It, and what it runs by wait_for(), did the same in both looks.
  [[nodiscard]] bool IsSteady(const PythonTask& task) const;
  void AddWait(const PythonTask& task, ActorIndex actor);
  void AddEnds(const PythonAwait& wait, ResourceIndex index);
  void WaitForLoop(const PythonTask& task, ActorIndex actor, ActorIndex thread);

  PythonGraph& graph_;
  const PythonCallers callers_;
  std::unordered_map<std::uint64_t, const PythonTask*> own_;  // by address
  std::vector<std::pair<const PythonTask*, ActorIndex>> alive_;
  std::unordered_map<std::uint32_t, StackIndex> created_;            // by PythonTask::origin
  std::unordered_map<ResourceIndex, std::vector<ActorIndex>> ends_;  // the tasks waited for
};

}  // namespace ct
