// What tasks and threads are in the middle of using that only one may use.
#pragma once

#include "observe/python_graph.h"

namespace ct {

// Only of those who slept while all was read: whoever runs may have left before another came.
void AddUses(PythonGraph& graph);

}  // namespace ct
