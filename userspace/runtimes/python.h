// Reads a Python process from outside: nothing runs in it, nothing is written to it, it is not
// stopped. A process that runs on meanwhile may be read half before and half after a change; one
// that hangs reads the same every time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtimes/python_process.h"
#include "target/target.h"

namespace ct {

struct PythonOptions {
  bool tasks = true;  // also asyncio's tasks, not only threads
  // Classes, by their names with the module, whose objects only one may be inside of at a time;
  // what derives from them, too.
  std::vector<std::string> exclusive_classes;
};

// nullopt: no Python in it. kUnsupported: one that is not known, with why.
Result<std::optional<PythonProcess>> ReadPython(Target& target, const PythonOptions& options);

}  // namespace ct
