// Which code of a Python process calls a probe in the kernel, or makes tasks: what that has to
// know, and what it found in words.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "model/task_probe.h"
#include "runtimes/python_process.h"
#include "target/target.h"

namespace ct {

// nullopt: no Python in it, or no asyncio of the C implementation so far. kUnsupported: one that is
// not known, with why.
Result<std::optional<TaskProbe>> FindTaskProbe(Target& target);

// nullopt: no Python in it, or none that has started so far. kUnsupported: one that is not known.
Result<std::optional<FrameProbe>> FindFrameProbe(Target& target);

struct CodePlace {
  static constexpr std::uint32_t kUnknown = ~0U;
  std::uint32_t code = kUnknown;  // index in CodePlaces::codes
  std::uint32_t line = 0;
  bool operator==(const CodePlace&) const = default;
};

struct CodePlaces {
  std::vector<PythonCode> codes;
  std::vector<CodePlace> places;
  bool operator==(const CodePlaces&) const = default;
};

// One place a point, in their order; kUnknown where no code object is that has such an instruction.
Result<CodePlaces> DescribePoints(Target& target, std::span<const CodePoint> points);

}  // namespace ct
