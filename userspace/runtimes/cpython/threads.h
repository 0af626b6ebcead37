// The threads of an interpreter, their Python stacks and the GIL.
#pragma once

#include <functional>
#include <vector>

#include "runtimes/cpython/find.h"
#include "runtimes/cpython/frames.h"
#include "runtimes/cpython/objects.h"

namespace ct::cpython {

// A thread with its frames as they were read, for those who ask more of them.
struct ThreadView {
  PythonThread thread;
  std::vector<FrameView> frames;  // those of thread.frames
};

struct InterpreterView {
  Address address = 0;
  std::vector<ThreadView> threads;
};

// All interpreters of a process: the main one and subinterpreters. `forget` makes the memory read
// anew: threads begin and end while they are listed.
std::vector<InterpreterView> ReadThreads(Heap& heap, FrameReader& frames,
                                         const Interpreter& interpreter,
                                         const std::function<void()>& forget);

// In struct _gil_runtime_state (pycore_gil.h), 3.11 to 3.15: who has it, or had it last.
inline constexpr std::uint64_t kGilLastHolder = 8;
// The GIL of an interpreter; 0: not readable.
Address GilOf(Heap& heap, const Interpreter& interpreter, Address view);

std::vector<PythonGil> ReadGils(Heap& heap, const Interpreter& interpreter,
                                const std::vector<InterpreterView>& interpreters);

}  // namespace ct::cpython
