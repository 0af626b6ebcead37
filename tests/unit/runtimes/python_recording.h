// A real interpreter's memory, recorded while it rested: to be read again as it was, and mangled.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "runtimes/python.h"
#include "tests/unit/runtimes/python_image.h"

namespace ct {

struct PythonRecording {
  PythonOptions options;
  std::unique_ptr<PythonImage> image;
  PythonProcess process;  // as it was read then
};

// Of a program of tests/targets/python, once it has said READY and reads the same twice. No root is
// needed: the interpreter is a child.
Result<PythonRecording> RecordPython(const std::string& python, const std::string& file);

// Reads it again, but for the memory, which is `memory`.
Result<std::optional<PythonProcess>> Replay(PythonRecording& recording, Memory& memory);

}  // namespace ct
