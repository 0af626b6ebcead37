// Where bytecode goes on; the numbers come from where those of opcodes.cc do.
#include <span>

#include "runtimes/cpython/opcodes.h"

namespace ct::cpython {
namespace {

struct Jump {
  std::uint8_t first;
  std::uint8_t last;
  Op op;
};

constexpr auto k311Jumps = std::to_array<Jump>({
    {38, 38, Op::kJumpBack},
    {83, 83, Op::kReturn},
    {93, 93, Op::kBranch},
    {110, 110, Op::kJump},
    {111, 112, Op::kBranch},
    {114, 114, Op::kBranchUnless},
    {115, 115, Op::kBranchIf},
    {119, 119, Op::kRaise},
    {128, 128, Op::kBranchIf},
    {129, 129, Op::kBranchUnless},
    {130, 130, Op::kRaise},
    {134, 134, Op::kJumpBack},
    {140, 140, Op::kJumpBack},
    {173, 176, Op::kBranchBack},
});
constexpr auto k312Jumps = std::to_array<Jump>({
    {62, 65, Op::kBranch},         {83, 83, Op::kReturn},         {93, 93, Op::kBranch},
    {110, 110, Op::kJump},         {114, 114, Op::kBranchUnless}, {115, 115, Op::kBranchIf},
    {119, 119, Op::kRaise},        {121, 121, Op::kReturn},       {128, 128, Op::kBranchIf},
    {129, 129, Op::kBranchUnless}, {130, 130, Op::kRaise},        {134, 134, Op::kJumpBack},
    {140, 140, Op::kJumpBack},     {238, 238, Op::kBranchUnless}, {239, 239, Op::kBranchIf},
    {242, 242, Op::kReturn},       {245, 245, Op::kJump},         {246, 246, Op::kJumpBack},
    {247, 247, Op::kReturn},       {248, 248, Op::kBranch},       {249, 249, Op::kBranchUnless},
    {250, 250, Op::kBranchIf},
});
constexpr auto k313Jumps = std::to_array<Jump>({
    {36, 36, Op::kReturn},
    {72, 72, Op::kBranch},
    {77, 78, Op::kJumpBack},
    {79, 79, Op::kJump},
    {97, 98, Op::kBranchUnless},
    {99, 100, Op::kBranchIf},
    {101, 102, Op::kRaise},
    {103, 103, Op::kReturn},
    {187, 190, Op::kBranch},
    {239, 240, Op::kReturn},
    {243, 243, Op::kBranch},
    {248, 248, Op::kJump},
    {249, 249, Op::kJumpBack},
    {250, 250, Op::kBranchIf},
    {251, 252, Op::kBranchUnless},
    {253, 253, Op::kBranchIf},
});
constexpr auto k314Jumps = std::to_array<Jump>({
    {35, 35, Op::kReturn},
    {70, 70, Op::kBranch},
    {75, 76, Op::kJumpBack},
    {77, 77, Op::kJump},
    {100, 101, Op::kBranchUnless},
    {102, 103, Op::kBranchIf},
    {104, 105, Op::kRaise},
    {171, 174, Op::kBranch},
    {175, 176, Op::kJumpBack},
    {237, 237, Op::kBranch},
    {239, 239, Op::kJump},
    {241, 241, Op::kBranchIf},
    {242, 243, Op::kBranchUnless},
    {244, 244, Op::kBranchIf},
    {246, 246, Op::kReturn},
    {253, 253, Op::kJumpBack},
});
constexpr auto k315Jumps = std::to_array<Jump>({
    {33, 33, Op::kReturn},
    {68, 68, Op::kBranch},
    {74, 75, Op::kJumpBack},
    {76, 76, Op::kJump},
    {99, 100, Op::kBranchUnless},
    {101, 102, Op::kBranchIf},
    {103, 104, Op::kRaise},
    {174, 178, Op::kBranch},
    {181, 182, Op::kJumpBack},
    {236, 236, Op::kBranch},
    {238, 238, Op::kJump},
    {240, 240, Op::kBranchIf},
    {241, 242, Op::kBranchUnless},
    {243, 243, Op::kBranchIf},
    {245, 245, Op::kReturn},
    {252, 252, Op::kJumpBack},
});

using Table = std::array<Op, 256>;

constexpr Table Expand(std::span<const Jump> jumps) {
  Table table{};
  for (const Jump& jump : jumps) {
    for (unsigned i = jump.first; i <= jump.last; ++i) table[i] = jump.op;
  }
  return table;
}

constexpr std::array<Table, 5> kTables = {Expand(k311Jumps), Expand(k312Jumps), Expand(k313Jumps),
                                          Expand(k314Jumps), Expand(k315Jumps)};
constexpr std::uint32_t kFirst = 11;

}  // namespace

Op JumpOf(std::uint32_t minor, std::uint8_t opcode) {
  const bool known = minor >= kFirst && minor < kFirst + kTables.size();
  return known ? kTables[minor - kFirst][opcode] : Op::kOther;
}

}  // namespace ct::cpython
