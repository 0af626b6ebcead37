// Reads a Python process from outside: nothing runs in it, nothing is written to it, it is not
// stopped. A process that runs on meanwhile may be read half before and half after a change; one
// that hangs reads the same every time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <sys/types.h>

#include "base/clock.h"
#include "base/result.h"
#include "runtimes/python_process.h"
#include "target/target.h"

namespace ct {

// The futex call in which a thread sleeps.
struct FutexSleep {
  std::uint64_t word = 0;
  std::uint64_t timeout_at = 0;  // address of its timespec; 0: it has no timeout
  bool monotonic = false;        // which is a moment of CLOCK_MONOTONIC
  bool operator==(const FutexSleep&) const = default;
};
using FutexCalls = std::unordered_map<pid_t, FutexSleep>;  // by native id

struct PythonOptions {
  bool tasks = true;  // also asyncio's tasks, not only threads
  // Also what frames hold and use, pools, and who completes futures; without, only threads and what
  // they run: cheap enough for many looks a second.
  bool objects = true;
  // Also exceptions that nobody has asked for and coroutines that nobody awaits: the whole heap is
  // walked for them, some 0.1 s for a million objects.
  bool forgotten = false;
  // Classes, by their names with the module, whose objects only one may be inside of at a time;
  // what derives from them, too.
  std::vector<std::string> exclusive_classes;
  // After it nothing more is read. A host with a CPU to spare reads 100,000 tasks in a sixth of it;
  // who waits for the answer has more patience (ReaderOptions::python_patience).
  DurationNs time = 3 * kSecond;
  FutexCalls futexes;  // of threads that are not here it is not said what they wait for
};

// nullopt: no Python in it. kUnsupported: one that is not known, with why.
Result<std::optional<PythonProcess>> ReadPython(Target& target, const PythonOptions& options);

// Looks at the innermost frame of a thread again, a few times within some hundred microseconds: see
// PythonThread::at_one_instruction.
bool StandsAtOneInstruction(Target& target, const PythonThread& thread);

}  // namespace ct
