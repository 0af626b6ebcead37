// The few instructions of CPython's bytecode that say who is called, stored and waited for.
#pragma once

#include <array>
#include <cstdint>

namespace ct::cpython {

enum class Op : std::uint8_t {
  kOther,
  kExtendedArgument,
  kLoadGlobal,
  kLoadLocal,  // also from a cell
  kLoadTwoLocals,
  kStoreLocal,
  kStoreLoadLocal,
  kStoreTwoLocals,
  kLoadAttribute,  // from 3.12 on also of a method that is called next (the argument's lowest bit)
  kLoadMethod,     // 3.11
  kStoreAttribute,
  kPushNull,  // below a function that is called next
  kCall,
  kSend,
  kYield,
  kPop,
  // Where it goes on. Each says how many code units from the next instruction.
  kJump,
  kJumpBack,
  kBranch,        // it may go on there; it may go on behind
  kBranchIf,      // there if what is on the stack is true, or not None
  kBranchUnless,  // there if it is false, or None
  kBranchBack,    // 3.11
  kReturn,
  kRaise,
};

struct Opcode {
  Op op = Op::kOther;
  std::uint8_t caches = 0;  // code units behind it that are no instructions
};

// By opcode: also those that the interpreter has put in place of others (specialized, instrumented
// for a debugger). nullptr for a version that is not known.
const std::array<Opcode, 256>* OpcodesOf(std::uint32_t minor);
// kJump to kRaise, which the table has as kOther; kOther for all else.
Op JumpOf(std::uint32_t minor, std::uint8_t opcode);

}  // namespace ct::cpython
