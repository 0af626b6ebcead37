// One machine instruction of x86-64, and of it only what the placement of probes asks for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace ct {

// Where the processor goes after it.
enum class Flow : std::uint8_t {
  kNext,
  kCall,          // goes on after it, if what it calls returns: also a system call
  kBranch,        // to its target, or on
  kJump,          // to its target
  kIndirectJump,  // to where a register or memory says
  kReturn,
  kEnd,  // nowhere, or nowhere that could be said: ud2, hlt, int3, iret, a far jump
};

// What a uprobe on it costs.
enum class ProbeCost : std::uint8_t {
  kSingleStepped,
  kLongNop,  // emulated by kernels since 6.16, single-stepped by older ones
  kCall,     // emulated; but no kernel to date keeps a user's shadow stack right when it does that
  kEmulated,
};

// What it does to the stack pointer.
enum class StackMove : std::uint8_t {
  kBy,         // its depth grows by Instruction::deeper
  kFromFrame,  // is the frame pointer's depth, plus `deeper`: lea -8(%rbp),%rsp; leave
  kUnknown,
};

// A set of the sixteen general registers, in the order of their encoding: bit 0 is rax.
using RegisterSet = std::uint16_t;

struct Instruction {
  std::uint64_t address = 0;
  std::uint64_t target = 0;  // kBranch, kJump
  std::uint16_t mnemonic = 0;
  RegisterSet writes = 0;
  std::int32_t deeper = 0;
  std::uint8_t length = 0;
  Flow flow = Flow::kNext;
  ProbeCost cost = ProbeCost::kSingleStepped;
  StackMove stack = StackMove::kBy;
  bool frame_is_stack = false;  // mov %rsp,%rbp
  bool is_nop = false;
  bool is_add = false;   // of two registers: how a table of relative addresses is used
  bool is_load = false;  // of a sign-extended word of memory with an index: the same
  // kIndirectJump:
  bool through_register = false;
  bool through_rip = false;  // memory at a fixed place: an import
  bool indexed = false;      // memory with an index: a table
  bool no_track = false;     // marked as a jump within the function (Intel CET)

  [[nodiscard]] std::uint64_t end() const { return address + length; }
  [[nodiscard]] bool HasTarget() const { return flow == Flow::kBranch || flow == Flow::kJump; }
  [[nodiscard]] std::string Name() const;  // "push", "jne"
};

// The instruction that `code`, which lies at `address`, begins with. Unset: there is none.
std::optional<Instruction> DecodeInstruction(std::span<const std::byte> code,
                                             std::uint64_t address);

// The register of an argument, 0 to 5 (System V ABI).
RegisterSet ArgumentRegister(std::uint32_t argument);

}  // namespace ct
