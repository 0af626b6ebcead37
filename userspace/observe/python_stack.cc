#include "observe/python_stack.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace ct {
namespace {

// The interpreter's loop; a compiler may have split it ("_PyEval_EvalFrameDefault.cold").
bool IsLoop(const Frame& frame) {
  return frame.origin == FrameOrigin::kNative &&
         std::string_view(frame.function).starts_with("_PyEval_EvalFrameDefault");
}

}  // namespace

Stack WithPythonFrames(Stack native, const std::vector<PythonStackFrame>& python) {
  if (python.empty()) return native;
  std::vector<Frame> merged;
  std::size_t next = 0;
  const auto runs = std::count_if(native.frames.begin(), native.frames.end(), IsLoop);
  const auto entries = std::count_if(python.begin(), python.end(),
                                     [](const PythonStackFrame& frame) { return frame.entry; });
  // A stack that could not be unwound to its end has fewer runs. Where it has more, which of them
  // belong together is not known.
  const bool fits = runs <= entries;
  const auto take_run = [&] {
    bool ends = false;
    while (next < python.size() && !ends) {
      ends = fits && python[next].entry;
      merged.push_back(python[next++].frame);
    }
  };
  for (Frame& frame : native.frames) {
    if (IsLoop(frame)) {
      take_run();
    } else {
      merged.push_back(std::move(frame));
    }
  }
  while (next < python.size()) take_run();
  native.frames = std::move(merged);
  return native;
}

}  // namespace ct
