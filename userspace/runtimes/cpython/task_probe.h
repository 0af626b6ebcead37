// What a probe that asks which code calls it, or makes tasks, has to know of an interpreter.
#pragma once

#include <optional>
#include <span>

#include "model/task_probe.h"
#include "runtimes/cpython/code.h"
#include "runtimes/cpython/find.h"
#include "runtimes/cpython/objects.h"
#include "runtimes/python_origins.h"

namespace ct::cpython {

// tp_init of _asyncio.Task in the first interpreter that has imported it, with that interpreter's
// GIL; nullopt: none has. The place in a file is for the caller to fill in.
std::optional<TaskProbe> ReadTaskProbe(Heap& heap, const Interpreter& interpreter);

// Of the first interpreter that has a GIL; nullopt: none has so far.
std::optional<FrameProbe> ReadFrameProbe(Heap& heap, const Interpreter& interpreter);

// See DescribePoints.
CodePlaces ReadPlaces(CodeCache& codes, std::span<const CodePoint> points);

}  // namespace ct::cpython
