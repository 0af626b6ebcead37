// From the registers of a sleeping thread to the addresses on its stack.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/frame.h"
#include "model/registers.h"
#include "target/memory.h"
#include "target/unwind_table.h"

namespace ct {

enum class CodeKind : std::uint8_t {
  kNotCode,    // no executable mapping
  kFile,       // of a module
  kGoFile,     // of a module built by Go: frame pointers can be trusted
  kAnonymous,  // JIT code
};

struct Code {
  CodeKind kind = CodeKind::kNotCode;
  std::uint64_t vaddr = 0;  // the address in the module's own ELF
  UnwindTable* table = nullptr;
};

// What the unwinder asks about an address of the target's code.
class CodeMap {
 public:
  virtual ~CodeMap() = default;
  virtual Code Find(std::uint64_t pc) = 0;
  // First address of the function that symbols name there; 0 if unknown.
  virtual std::uint64_t FunctionStart(std::uint64_t pc) = 0;
  // True in a function that has no caller: _start, __clone and the like, by its symbol.
  virtual bool IsThreadStart(std::uint64_t pc) = 0;
};

struct RawFrame {
  std::uint64_t pc = 0;
  std::uint64_t lookup_pc = 0;  // inside the instruction that runs: pc - 1 for a caller
  std::uint64_t cfa = 0;
  bool guessed = false;
};

struct RawStack {
  std::vector<RawFrame> frames;
  StackEnd end = StackEnd::kNotRead;
};

// Works through at most `max_frames` frames. Where code has no call frame information it guesses,
// by frame pointer or by scanning the stack for return addresses, and marks what it finds.
RawStack UnwindStack(const Registers& registers, Memory& memory, CodeMap& code,
                     std::uint32_t max_frames);

}  // namespace ct
