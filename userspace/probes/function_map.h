// A function's machine code taken apart, with the parts that the compiler split off it, and how
// deep its stack is at each instruction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "probes/instruction.h"
#include "probes/placement.h"

namespace ct {

class FunctionMap {
 public:
  // Others that overlap an earlier part are left out.
  FunctionMap(std::span<const std::byte> code, std::uint64_t address,
              std::span<const CodeRange> others);

  // The function first. In the order of their addresses within each.
  [[nodiscard]] const std::vector<std::vector<Instruction>>& parts() const { return parts_; }
  [[nodiscard]] std::uint64_t AddressOf(std::size_t part) const { return ranges_[part].address; }
  // Set: some of its code was not understood, with where and why.
  [[nodiscard]] const std::optional<std::string>& gap() const { return gap_; }
  // In the bytes of any part.
  [[nodiscard]] bool Contains(std::uint64_t address) const;
  // Bytes between the stack pointer before this instruction and the return address. Unset: not the
  // same on all ways there, or no way is known.
  [[nodiscard]] std::optional<std::int32_t> DepthAt(std::size_t part, std::size_t index) const {
    return depths_[part][index].stack;
  }
  // An indirect jump that stays in the function: a jump table's.
  [[nodiscard]] bool IsTableJump(std::size_t part, std::size_t index) const;

 private:
  // Of the stack and frame pointers; unset: not known.
  struct Depth {
    bool reached = false;
    std::optional<std::int32_t> stack;
    std::optional<std::int32_t> frame;
  };
  struct Place {
    std::size_t part = 0;
    std::size_t index = 0;
  };
  void TakeApart(const CodeRange& range, std::uint64_t function);
  [[nodiscard]] std::optional<Place> Find(std::uint64_t address) const;
  void FollowStack();
  static Depth After(const Instruction& instruction, const Depth& before);

  std::vector<CodeRange> ranges_;
  std::vector<std::vector<Instruction>> parts_;
  std::vector<std::vector<Depth>> depths_;
  std::optional<std::string> gap_;
};

// "+0x1f", "-0x40": relative to the function's first byte.
std::string RelativeTo(std::uint64_t function, std::uint64_t address);

}  // namespace ct
