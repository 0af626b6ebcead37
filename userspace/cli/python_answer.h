// The answer about one Python process by reading its memory alone: no BPF, no sweep; whoever may
// ptrace it may have it.
#pragma once

#include <sys/types.h>

#include "base/result.h"
#include "cli/session.h"
#include "detect/detect.h"
#include "observe/python_pool_ages.h"
#include "observe/python_process.h"
#include "reader/reader.h"
#include "track/pool_queues.h"
#include "track/unmoved_tasks.h"

namespace ct {

// What earlier looks at the process have shown.
struct PythonMemory {
  UnmovedTasks unmoved;
  PoolQueues queues;
  PythonPoolAges pool_ages;
};

// One look, with its findings. kNotFound, kUnsupported (not Python, or one that is not known) or
// kPermission, with one clear line.
Result<Answer> LookByReading(Reader& reader, pid_t pid, PythonLookOptions look,
                             const DetectOptions& detect, PythonMemory& memory);

}  // namespace ct
