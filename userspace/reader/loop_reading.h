// What the event loops of a Python process are in the middle of, cheaply enough for many looks a
// second. Runs in the reader process.
#pragma once

#include <optional>
#include <vector>

#include <sys/types.h>

#include "base/result.h"
#include "runtimes/python.h"
#include "target/target.h"

namespace ct {

// Sets PythonThread::moved or at_one_instruction, if it runs; some 1.5 ms a try.
void SeeWhetherItMoves(Target& target, int tries, PythonThread& thread);

// Threads, what they run, and what those of `threads` (host tids) do just now. `locks`: also which
// lock they wait for and who has it, which takes several times as long where one does.
Result<std::optional<PythonProcess>> ReadLoops(Target& target, const std::vector<pid_t>& threads,
                                               bool locks);

// Threads, what they run, and which of them wait for a lock or the GIL. PythonThread::host_tid is
// filled in.
Result<std::optional<PythonProcess>> ReadWaitingThreads(Target& target);

}  // namespace ct
