#include "observe/python_builder.h"

#include <algorithm>
#include <map>
#include <string>

#include "observe/python_completions.h"
#include "observe/python_graph.h"
#include "observe/python_pools.h"
#include "observe/python_tasks.h"
#include "observe/python_threads.h"
#include "observe/python_uses.h"

namespace ct {
namespace {

// What a look at a process that runs on misses, the other may have seen; and while it runs,
// objects come and go.
void AddLosses(PythonGraph& graph) {
  const bool rests = graph.comparison().AllSlept();
  std::map<std::string, std::uint64_t> before;
  for (const PythonSkip& skip : graph.look().first.skips) before[skip.reason] += skip.count;
  for (const PythonSkip& skip : graph.look().second.skips) {
    const auto found = before.find(skip.reason);
    const std::uint64_t both = found == before.end() ? 0 : std::min(found->second, skip.count);
    if (both > 0) graph.out().losses.push_back({"of Python: " + skip.reason, both, rests, ""});
  }
}

}  // namespace

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
  AddLosses(graph);
}

}  // namespace ct
