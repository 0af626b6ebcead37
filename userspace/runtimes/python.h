// Reads a Python process from outside: nothing runs in it, nothing is written to it, it is not
// stopped. A process that runs on meanwhile may be read half before and half after a change; one
// that hangs reads the same every time.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include <sys/types.h>

#include "base/result.h"
#include "runtimes/python_process.h"
#include "target/target.h"

namespace ct {

// The futex call in which a thread sleeps.
struct FutexCall {
  std::uint64_t word = 0;
  std::uint64_t timeout_at = 0;  // address of its timespec; 0: it has no timeout
  bool monotonic = false;        // which is a moment of CLOCK_MONOTONIC
  bool operator==(const FutexCall&) const = default;
};
using FutexCalls = std::unordered_map<pid_t, FutexCall>;  // by native id

struct PythonOptions {
  // Also asyncio's tasks, and what frames hold; without, only threads and what they run.
  bool tasks = true;
  FutexCalls futexes;  // of threads that are not here it is not said what they wait for
};

// nullopt: no Python in it. kUnsupported: one that is not known, with why.
Result<std::optional<PythonProcess>> ReadPython(Target& target, const PythonOptions& options);

// Looks at the innermost frame of a thread again, a few times within some hundred microseconds: see
// PythonThread::at_one_instruction.
bool StandsAtOneInstruction(Target& target, const PythonThread& thread);

}  // namespace ct
