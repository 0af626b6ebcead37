// The threads of an interpreter, their Python stacks and the GIL.
#pragma once

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

// All interpreters of a process: the main one and subinterpreters.
std::vector<InterpreterView> ReadThreads(Heap& heap, FrameReader& frames,
                                         const Interpreter& interpreter);

std::vector<PythonGil> ReadGils(Heap& heap, const Interpreter& interpreter,
                                const std::vector<InterpreterView>& interpreters);

}  // namespace ct::cpython
