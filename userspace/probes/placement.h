// Where in a function a probe costs least. The kernel emulates some instructions and single-steps
// the others, which costs up to 40 times as much. Pure: machine code in, offsets out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace ct {

// Longest part of a function that is looked at.
inline constexpr std::size_t kMaxFunctionCode = 64 << 10;

struct EntryPlacement {
  std::uint32_t offset = 0;  // from the function's first byte
  bool emulated = false;
  std::uint32_t pushed = 0;  // bytes between the stack pointer there and the return address
  std::string why;           // "+14 jne: first emulated instruction that every call passes"
};

// Of x86-64 code. `code` is the whole function, or its beginning, read at `address`; `arguments`
// are the ones (0 to 5, System V) whose registers must be as the caller left them. The first
// instruction (offset 0) where nothing better is safe. kMalformed: no instruction at its beginning.
Result<EntryPlacement> PlaceEntry(std::span<const std::byte> code, std::uint64_t address,
                                  std::span<const std::uint32_t> arguments);

// Offsets of all return instructions. kUnsupported, with why, where a call can leave the function
// by another way (a tail call, an indirect jump) or the code cannot be followed to its end.
Result<std::vector<std::uint32_t>> FindReturns(std::span<const std::byte> code,
                                               std::uint64_t address);

}  // namespace ct
