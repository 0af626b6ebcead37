// Random bytes, and random pieces of real code: whatever they are, the answer is an instruction of
// the entry block that an independent walk agrees with.
#include <random>

#include <gtest/gtest.h>

#include "probes/instruction.h"
#include "probes/placement.h"
#include "tests/unit/probes/glibc_code.h"
#include "tests/unit/probes/machine_code.h"

namespace ct {
namespace {

// What must be true of a placement, looked at straight from the bytes.
void Check(std::span<const std::byte> code, std::uint64_t address,
           std::span<const std::uint32_t> arguments) {
  const auto placed = PlaceEntry(code, address, arguments);
  const auto first = DecodeInstruction(code, address);
  ASSERT_EQ(placed.has_value(), first.has_value());
  if (!placed) return;
  ASSERT_LT(placed->offset, code.size());
  ASSERT_FALSE(placed->why.empty());
  std::uint32_t at = 0;
  std::int64_t depth = 0;
  while (at < placed->offset) {
    const auto instruction = DecodeInstruction(code.subspan(at), address + at);
    ASSERT_TRUE(instruction);
    ASSERT_EQ(instruction->flow, Flow::kNext) << at;
    ASSERT_EQ(instruction->stack, StackMove::kBy) << at;
    for (const std::uint32_t argument : arguments) {
      ASSERT_EQ(instruction->writes & ArgumentRegister(argument), 0) << at;
    }
    depth += instruction->deeper;
    ASSERT_GE(depth, 0);
    at += instruction->length;
  }
  ASSERT_EQ(at, placed->offset) << "not at an instruction's beginning";
  ASSERT_EQ(depth, placed->pushed);
  const auto chosen = DecodeInstruction(code.subspan(at), address + at);
  ASSERT_TRUE(chosen);
  ASSERT_EQ(placed->emulated,
            chosen->cost == ProbeCost::kEmulated || chosen->cost == ProbeCost::kCall);
  if (placed->offset == 0) return;
  for (std::size_t i = 0; i < code.size();) {
    const auto instruction = DecodeInstruction(code.subspan(i), address + i);
    ASSERT_TRUE(instruction);
    const bool jumps = instruction->HasTarget();
    ASSERT_FALSE(jumps && instruction->target > address &&
                 instruction->target <= address + placed->offset)
        << "comes back from " << i;
    i += instruction->length;
  }
}

void CheckReturns(std::span<const std::byte> code, std::uint64_t address) {
  const auto returns = FindReturns(code, address);
  if (!returns) {
    ASSERT_FALSE(returns.error().message.empty());
    return;
  }
  ASSERT_FALSE(returns->empty());
  for (const std::uint64_t at : *returns) {
    ASSERT_GE(at, address);
    ASSERT_LT(at - address, code.size());
    const auto instruction = DecodeInstruction(code.subspan(at - address), at);
    ASSERT_TRUE(instruction);
    ASSERT_EQ(instruction->flow, Flow::kReturn);
  }
}

void CheckAll(const std::vector<std::byte>& code, std::mt19937_64& random) {
  const std::vector<std::vector<std::uint32_t>> wanted = {{}, {0}, {1}, {0, 1, 2, 3, 4, 5}};
  const std::uint64_t address = random() >> (random() % 64);
  for (const auto& arguments : wanted) Check(code, address, arguments);
  CheckReturns(code, address);
  (void)JumpsOut(code, address);
}

TEST(PlacementProperty, RandomBytes) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::byte> code(random() % 48);
    for (auto& byte : code) byte = static_cast<std::byte>(random());
    CheckAll(code, random);
    if (HasFatalFailure()) return;
  }
}

// Bytes that compilers use make functions that are longer than a few random ones.
TEST(PlacementProperty, RandomInstructions) {
  const std::vector<const char*> instructions = {
      "55",         "4154",     "5d",       "4883ec08", "4883c408", "4889e5",   "c9",
      "c3",         "7402",     "75fa",     "eb03",     "ebf0",     "ffe0",     "ff24f510000000",
      "4885ff",     "8b4710",   "4889f7",   "31f6",     "90",       "0f1f4000", "e800000000",
      "0f0b",       "f30f1efa", "4883e4e0", "488d65f0", "0f05",     "3effe0",   "58",
      "488d642410", "f2eb00",   "6690"};
  std::mt19937_64 random(11);
  for (int round = 0; round < 20000; ++round) {
    std::string hex;
    for (std::uint64_t i = random() % 24; i > 0; --i) {
      hex += instructions[random() % instructions.size()];
    }
    CheckAll(Code(hex), random);
    if (HasFatalFailure()) return;
  }
}

TEST(PlacementProperty, MangledGlibc) {
  std::mt19937_64 random(13);
  for (const GlibcFunction& function :
       {kPthreadMutexLock, kPthreadMutexTrylock, kPthreadRwlockRdlock, kSemPost, kPthreadSpinLock,
        kSemTimedwait}) {
    const auto whole = Code(function.hex);
    for (int round = 0; round < 200; ++round) {
      auto code = whole;
      for (std::uint64_t i = random() % 4; i > 0; --i) {
        code[random() % code.size()] = static_cast<std::byte>(random());
      }
      code.resize(random() % (code.size() + 1));
      CheckAll(code, random);
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace ct
