#include "observe/python_builder.h"

#include <algorithm>
#include <array>
#include <string>

#include <fmt/format.h>

#include "observe/python_completions.h"
#include "observe/python_graph.h"
#include "observe/python_pools.h"
#include "observe/python_tasks.h"
#include "observe/python_threads.h"
#include "observe/python_uses.h"

namespace ct {
namespace {

// On these the tests run (deploy/test); of others the headers were read.
constexpr auto kTestedMinors = std::to_array<std::uint32_t>({11, 13, 14});

void SayIfUntested(std::uint32_t version, Observation& observation) {
  const std::uint32_t minor = version >> 16 & 0xff;
  if (std::find(kTestedMinors.begin(), kTestedMinors.end(), minor) != kTestedMinors.end()) return;
  const std::string line =
      fmt::format("Python {}.{} is untested: 3.11, 3.13 and 3.14 are", version >> 24 & 0xff, minor);
  auto& lines = observation.degradations;
  if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(line);
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
  graph.AddBareHolds();
  AddCompletions(graph);
  tasks.WaitForBlockedLoops();
  threads.SettlePurposes();
  AddUses(graph);
  AddPythonLosses(look, observation);
  SayIfUntested(look.second.version, observation);
}

}  // namespace ct
