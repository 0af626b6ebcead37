// Who holds back those that wait for a concurrent.futures.Future.
#pragma once

#include "observe/python_graph.h"

namespace ct {

// After all waits.
void AddCompletions(PythonGraph& graph);

}  // namespace ct
