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
  // Also asyncio's tasks, and what frames hold; without, only threads and what they run.
  bool tasks = true;
};

// nullopt: no Python in it. kUnsupported: one that is not known, with why.
Result<std::optional<PythonProcess>> ReadPython(Target& target, const PythonOptions& options);

// Looks at the innermost frame of a thread again, a few times within some hundred microseconds: see
// PythonThread::at_one_instruction.
bool StandsAtOneInstruction(Target& target, const PythonThread& thread);

}  // namespace ct
