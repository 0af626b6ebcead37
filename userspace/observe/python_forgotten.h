// What nobody in a Python process takes care of: read twice, and what both readings show is told.
#pragma once

#include <optional>
#include <vector>

#include <sys/types.h>

#include "model/observation.h"
#include "observe/python_look.h"
#include "observe/task_origins.h"
#include "reader/reader.h"

namespace ct {

// nullopt: not Python, or not to be read; then with a loss. `origins` may be missing.
std::optional<PythonLook> LookForForgotten(Reader& reader, pid_t pid, TaskOrigins* origins,
                                           std::vector<Loss>& losses);

// Adds exceptions that nobody has asked for and coroutines that nobody awaits, if they are in both
// looks: whoever was about to take care of one has done so in between.
void AddForgotten(const PythonLook& look, ProcessIndex process, Observation& observation);

}  // namespace ct
