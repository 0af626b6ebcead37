// A Python process looked at by reading alone: no BPF, no sweep, ptrace-read permission is enough.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.h"
#include "model/observation.h"
#include "observe/python_pool_ages.h"
#include "observe/task_origins.h"
#include "reader/reader.h"

namespace ct {

struct PythonLookOptions {
  std::vector<std::string> exclusive_classes;  // see PythonOptions
  bool search = true;                          // also its whole heap, for what nobody takes care of
  // Stop it, twice for some milliseconds, where its event loops never slept while it was read.
  bool may_stop = false;
  PythonPoolAges* pool_ages = nullptr;  // of the looks at it before; gets this one's, too
  TaskOrigins* task_origins = nullptr;  // where tasks' makers are followed
};

// The tasks of one process. kNotFound, kUnsupported (not Python, or one that is not known) or
// kPermission, with one clear line.
Result<Observation> LookAtPython(Reader& reader, pid_t pid, const PythonLookOptions& options);

}  // namespace ct
