#include "target/dwarf_expression.h"

#include <dwarf.h>

#include <vector>

#include <gtest/gtest.h>

namespace ct {
namespace {

class NoMemory final : public Memory {
 public:
  std::size_t Read(std::uint64_t, std::span<std::byte>) override { return 0; }
};

// Every word holds its own address plus one.
class Countdown final : public Memory {
 public:
  std::size_t Read(std::uint64_t address, std::span<std::byte> out) override {
    const std::uint64_t value = address + 1;
    std::memcpy(out.data(), &value, std::min(out.size(), sizeof(value)));
    return out.size();
  }
};

Dwarf_Op Op(unsigned atom, std::uint64_t number = 0) {
  return {static_cast<std::uint8_t>(atom), number, 0, 0};
}

std::optional<std::uint64_t> ValueOf(std::vector<Dwarf_Op> operations, const Registers& registers,
                                     std::optional<std::uint64_t> cfa = std::nullopt) {
  Countdown memory;
  return Evaluate(operations, {registers, ~0u, cfa, memory});
}

// The expression that binutils writes for PLT entries: the CFA is rsp + 8, and 8 more once the
// entry has pushed its index (from its 11th byte on).
TEST(Evaluate, UnwindsPltEntries) {
  const std::vector<Dwarf_Op> plt = {Op(DW_OP_breg7, 8), Op(DW_OP_breg16, 0), Op(DW_OP_lit15),
                                     Op(DW_OP_and),      Op(DW_OP_lit11),     Op(DW_OP_ge),
                                     Op(DW_OP_lit3),     Op(DW_OP_shl),       Op(DW_OP_plus)};
  Registers registers;
  registers.dwarf[kRsp] = 0x1000;
  registers.dwarf[kRip] = 0x401020;
  EXPECT_EQ(ValueOf(plt, registers), 0x1008u);
  registers.dwarf[kRip] = 0x40102b;
  EXPECT_EQ(ValueOf(plt, registers), 0x1010u);
}

// glibc's __restore_rt: the interrupted stack pointer lies 160 bytes into the signal frame.
TEST(Evaluate, ReadsMemory) {
  Registers registers;
  registers.dwarf[kRsp] = 0x2000;
  EXPECT_EQ(ValueOf({Op(DW_OP_breg7, 160), Op(DW_OP_deref)}, registers), 0x2000u + 160 + 1);
  EXPECT_EQ(ValueOf({Op(DW_OP_call_frame_cfa), Op(DW_OP_plus_uconst, 8)}, registers, 0x3000),
            0x3008u);
}

TEST(Evaluate, ComputesAsDwarfSays) {
  const Registers registers;
  const auto binary = [&](std::uint64_t left, std::uint64_t right, unsigned atom) {
    return ValueOf({Op(DW_OP_constu, left), Op(DW_OP_constu, right), Op(atom)}, registers);
  };
  const auto minus = [](std::uint64_t value) { return 0 - value; };
  EXPECT_EQ(binary(7, 2, DW_OP_minus), 5u);
  EXPECT_EQ(binary(minus(7), 2, DW_OP_div), minus(3));
  EXPECT_EQ(binary(minus(8), 1, DW_OP_shra), minus(4));
  EXPECT_EQ(binary(1, 64, DW_OP_shl), 0u);
  EXPECT_EQ(binary(minus(1), 1, DW_OP_lt), 1u);
  EXPECT_EQ(ValueOf({Op(DW_OP_lit1), Op(DW_OP_lit2), Op(DW_OP_swap), Op(DW_OP_minus)}, registers),
            1u);
  EXPECT_EQ(ValueOf({Op(DW_OP_lit3), Op(DW_OP_dup), Op(DW_OP_mul)}, registers), 9u);
}

TEST(Evaluate, RefusesWhatItCannotKnow) {
  const Registers registers;
  NoMemory memory;
  EXPECT_EQ(ValueOf({}, registers), std::nullopt);
  EXPECT_EQ(ValueOf({Op(DW_OP_plus)}, registers), std::nullopt);
  EXPECT_EQ(ValueOf({Op(DW_OP_lit1), Op(DW_OP_lit0), Op(DW_OP_div)}, registers), std::nullopt);
  EXPECT_EQ(ValueOf({Op(DW_OP_lit1), Op(DW_OP_lit0), Op(DW_OP_mod)}, registers), std::nullopt);
  EXPECT_EQ(ValueOf({Op(DW_OP_lit0), Op(DW_OP_skip, 0)}, registers), std::nullopt);
  EXPECT_EQ(ValueOf({Op(DW_OP_call_frame_cfa)}, registers), std::nullopt);
  EXPECT_EQ(ValueOf({Op(DW_OP_breg31, 0)}, registers), std::nullopt);
  EXPECT_EQ(ValueOf(std::vector<Dwarf_Op>(100, Op(DW_OP_lit0)), registers), std::nullopt);
  const std::vector<Dwarf_Op> read = {Op(DW_OP_lit0), Op(DW_OP_deref)};
  EXPECT_EQ(Evaluate(read, {registers, ~0u, std::nullopt, memory}), std::nullopt);
  const std::vector<Dwarf_Op> unknown = {Op(DW_OP_breg3, 0)};
  EXPECT_EQ(Evaluate(unknown, {registers, 0, std::nullopt, memory}), std::nullopt);
}

TEST(Evaluate, DividesTheSmallestNumber) {
  const Registers registers;
  const std::uint64_t smallest = 1ULL << 63;
  EXPECT_EQ(
      ValueOf({Op(DW_OP_constu, smallest), Op(DW_OP_const1s, ~0ULL), Op(DW_OP_div)}, registers),
      smallest);
}

}  // namespace
}  // namespace ct
