// What a probe in the kernel needs to know of a Python process to say which code calls it, or makes
// tasks, and what it finds, before either is put into words.
#pragma once

#include <compare>
#include <cstdint>

namespace ct {

// A place in Python code: an instruction, `offset` bytes from the beginning of its code object.
struct CodePoint {
  std::uint64_t code = 0;
  std::uint32_t offset = 0;
  auto operator<=>(const CodePoint&) const = default;
};

// From who has the GIL to the frames that he is in. Offsets are bytes from the start of CPython's
// structures (runtimes/cpython/offsets.h).
struct FrameProbe {
  std::uint64_t last_holder = 0;  // address of the GIL's field
  std::uint32_t thread_ident = 0;
  std::uint32_t thread_frame = 0;
  bool behind_cframe = false;
  std::uint32_t cframe_frame = 0;
  std::uint64_t code_mask = 0;
  std::uint32_t frame_code = 0;
  std::uint32_t frame_previous = 0;
  std::uint32_t frame_instruction = 0;
  std::uint32_t frame_owner = 0;
  std::uint32_t last_python_owner = 0;
  bool operator==(const FrameProbe&) const = default;
};

struct TaskProbe {
  // The function that initializes each task, and the mapping of a file that it is in. `address` may
  // be a few bytes behind its first, where a probe costs less.
  std::uint64_t address = 0;
  std::uint64_t map_begin = 0;
  std::uint64_t map_end = 0;
  std::uint64_t file_offset = 0;  // of `address`
  std::uint64_t inode = 0;
  FrameProbe frames;
  bool operator==(const TaskProbe&) const = default;
};

}  // namespace ct
