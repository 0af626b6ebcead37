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
// Most `others` that are looked at.
inline constexpr std::size_t kMaxOtherParts = 8;

// Machine code and where it lies. Addresses are of any one kind: in a process's memory, or in its
// file.
struct CodeRange {
  std::uint64_t address = 0;
  std::span<const std::byte> code;
};

struct EntryPlacement {
  std::uint32_t offset = 0;  // from the function's first byte
  bool emulated = false;     // by every kernel
  std::uint32_t pushed = 0;  // bytes between the stack pointer there and the return address
  // For people: "+14 jne: first emulated instruction that every call passes". Says so, too, where
  // one call may pass it several times: a loop that begins at the function's first instruction.
  std::string why;
};

// Where a function goes on outside of itself, by a jump that is not a call, and outside of
// `others`: a part that the compiler split off ("X.cold"), or another function that it ends in (a
// tail call). Addresses, ascending. Find the code that lies there, by its symbol or its entry of
// .eh_frame, put it into `others` and ask again until nothing is left: FindReturns() needs it all,
// and PlaceEntry() takes what it does not know for a way back into the function.
std::vector<std::uint64_t> JumpsOut(std::span<const std::byte> code, std::uint64_t address,
                                    std::span<const CodeRange> others = {});

// Of x86-64 code. `code` is the whole function, or its first kMaxFunctionCode bytes, read at
// `address`; `arguments` are the ones (0 to 5, System V) whose registers must be as the caller left
// them. The first instruction (offset 0) where nothing better is safe: one that a call may pass
// twice, or not at all, is no place for a probe, whatever it costs. kMalformed: no instruction at
// its beginning. kUsage: an argument that is in no register.
Result<EntryPlacement> PlaceEntry(std::span<const std::byte> code, std::uint64_t address,
                                  std::span<const std::uint32_t> arguments,
                                  std::span<const CodeRange> others = {});

// Addresses (of the same kind as `address`, ascending) of all return instructions, those in
// `others` too: a call of the function comes back through one of them, or throws, or never. Those
// in `others` may also be passed by calls of something else; the stack pointer tells: it is at
// every one of them what it was at the function's first instruction. kUnsupported, with why, where
// a call can leave by another way (a jump to what is not in `others`, an indirect jump that is no
// jump table's) or the code cannot be followed to its end.
Result<std::vector<std::uint64_t>> FindReturns(std::span<const std::byte> code,
                                               std::uint64_t address,
                                               std::span<const CodeRange> others = {});

}  // namespace ct
