#include "model/frame.h"

namespace ct {

bool IsPythonPackage(std::string_view file) {
  return file.find("-packages/") != std::string_view::npos;
}

bool IsPythonLibrary(std::string_view file) {
  if (IsPythonPackage(file)) return false;
  return file.find("/lib/python3") != std::string_view::npos || file.starts_with("<frozen ");
}

const Frame* OwnPythonFrame(const Stack& stack) {
  for (const Frame& frame : stack.frames) {
    if (frame.origin == FrameOrigin::kPython && !IsPythonLibrary(frame.file)) return &frame;
  }
  return stack.frames.empty() ? nullptr : &stack.frames.front();
}

}  // namespace ct
