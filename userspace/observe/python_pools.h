// Pools of connections and the like as resources: how many units there are, and who has them.
#pragma once

#include "observe/python_graph.h"

namespace ct {

// Those for a unit of which somebody waits. After all actors, before the waits.
void AddPools(PythonGraph& graph);

}  // namespace ct
