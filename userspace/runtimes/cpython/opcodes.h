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
  kCall,
  kSend,
  kYield,
  kPop,
};

struct Opcode {
  Op op = Op::kOther;
  std::uint8_t caches = 0;  // code units behind it that are no instructions
};

// By opcode: also those that the interpreter has put in place of others (specialized, instrumented
// for a debugger). nullptr for a version that is not known.
const std::array<Opcode, 256>* OpcodesOf(std::uint32_t minor);

}  // namespace ct::cpython
