// User registers of a sleeping thread.
#pragma once

#include <array>
#include <cstdint>

namespace ct {

// x86-64 DWARF register numbers (System V ABI, figure 3.36). Another architecture adds its own
// enum; the array is indexed by that architecture's DWARF numbers.
enum X86Register : std::uint8_t {
  kRax = 0,
  kRdx = 1,
  kRcx = 2,
  kRbx = 3,
  kRsi = 4,
  kRdi = 5,
  kRbp = 6,
  kRsp = 7,
  kR8 = 8,
  kR9 = 9,
  kR10 = 10,
  kR11 = 11,
  kR12 = 12,
  kR13 = 13,
  kR14 = 14,
  kR15 = 15,
  kRip = 16,
  kX86RegisterCount = 17,
};

struct Registers {
  std::array<std::uint64_t, kX86RegisterCount> dwarf{};  // by DWARF number
  std::uint64_t thread_pointer = 0;                      // fs base
  [[nodiscard]] std::uint64_t pc() const { return dwarf[kRip]; }
  [[nodiscard]] std::uint64_t sp() const { return dwarf[kRsp]; }
  bool operator==(const Registers&) const = default;
};

}  // namespace ct
