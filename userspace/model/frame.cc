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
  const Frame* packaged = nullptr;
  for (const Frame& frame : stack.frames) {
    if (frame.origin != FrameOrigin::kPython || IsPythonLibrary(frame.file)) continue;
    if (!IsPythonPackage(frame.file)) return &frame;
    if (packaged == nullptr) packaged = &frame;
  }
  if (packaged != nullptr) return packaged;
  return stack.frames.empty() ? nullptr : &stack.frames.front();
}

}  // namespace ct
