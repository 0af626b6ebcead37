// A thread's C stack and its Python stack as one.
#pragma once

#include <vector>

#include "model/frame.h"

namespace ct {

struct PythonStackFrame {
  Frame frame;
  bool entry = false;  // called from C: the interpreter's loop was entered anew for it
};

// The frames of Python, innermost first, in place of those of the interpreter's loop that runs
// them: C frames between two of its runs stay between those, where it can be told.
Stack WithPythonFrames(Stack native, const std::vector<PythonStackFrame>& python);

}  // namespace ct
