// Who holds back those that wait for a concurrent.futures.Future.
#pragma once

#include "observe/python_callers.h"
#include "observe/python_graph.h"

namespace ct {

// After all waits.
void AddCompletions(PythonGraph& graph, const PythonCallers& callers);

}  // namespace ct
