// Reads a Python process from outside: nothing runs in it, nothing is written to it, it is not
// stopped. A process that runs on meanwhile may be read half before and half after a change; one
// that hangs reads the same every time.
#pragma once

#include <optional>

#include "base/result.h"
#include "runtimes/python_process.h"
#include "target/target.h"

namespace ct {

struct PythonOptions {
  bool tasks = true;  // also asyncio's tasks, not only threads
  // Also exceptions that nobody has asked for and coroutines that nobody awaits: the whole heap is
  // walked for them, some 0.1 s for a million objects.
  bool forgotten = false;
};

// nullopt: no Python in it. kUnsupported: one that is not known, with why.
Result<std::optional<PythonProcess>> ReadPython(Target& target, const PythonOptions& options);

}  // namespace ct
