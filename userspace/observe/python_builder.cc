#include "observe/python_builder.h"

#include "observe/python_completions.h"
#include "observe/python_graph.h"
#include "observe/python_pools.h"
#include "observe/python_tasks.h"
#include "observe/python_threads.h"
#include "observe/python_uses.h"

namespace ct {

void AddPython(const PythonLook& look, const PythonPlace& place, Observation& observation) {
  PythonGraph graph(look, place, observation);
  PythonTasks tasks(graph);
  PythonThreads threads(graph);
  tasks.AddActors();
  threads.AddActors();
  PythonPools(graph, tasks.callers()).Add();
  tasks.AddWaits();
  threads.AddWaits();
  tasks.HandDownDeadlines();
  tasks.AddHolds();
  threads.AddHolds();
  threads.AddOwners();
  AddCompletions(graph);
  tasks.WaitForBlockedLoops();
  threads.SettlePurposes();
  AddUses(graph);
  AddPythonLosses(look, observation);
}

}  // namespace ct
