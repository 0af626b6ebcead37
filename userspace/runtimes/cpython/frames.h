// Frames: of threads, and inside suspended generators and coroutines.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "runtimes/cpython/code.h"
#include "runtimes/cpython/objects.h"

namespace ct::cpython {

// Where a _PyInterpreterFrame has prev_instr (up to 3.12) or instr_ptr, 3.11 to 3.15.
inline constexpr std::uint64_t kFrameInstruction = 56;
// Frames of C code and those of the interpreter itself, which call Python code, have no code of
// their own worth showing (FRAME_OWNED_BY_CSTACK of 3.12, FRAME_OWNED_BY_INTERPRETER of 3.14).
inline constexpr std::uint8_t kLastPythonOwner = 2;
// Tags of a _PyStackRef (pycore_stackref.h), which refers to a frame's code from 3.14 on.
inline constexpr Address kReferenceTags = 3;
inline Address CodeMask(const Offsets& offsets) {
  return ~(offsets.minor >= 14 ? kReferenceTags : Address{0});
}

// One _PyInterpreterFrame, as it was read.
struct FrameView {
  Address address = 0;
  Code* code = nullptr;
  Address previous = 0;     // the frame that called it
  Address instruction = 0;  // the current one
  std::uint8_t owner = 0;   // enum _frameowner
  Address locals = 0;       // localsplus: locals, cells, then the operand stack
  // How many slots of localsplus are in use; nullopt while the frame runs, which does not write it
  // down.
  std::optional<std::uint32_t> slots;
};

enum class GeneratorState : std::uint8_t {
  kUnreadable,
  kCreated,
  kYielded,     // suspended in a plain yield
  kDelegating,  // suspended in await or yield from: the awaited object is on top of its stack
  kRunning,
  kFinished,
};

class FrameReader {
 public:
  FrameReader(Heap& heap, CodeCache& codes) : heap_(heap), codes_(codes) {}

  // nullopt: no frame of Python code.
  std::optional<FrameView> At(Address address);
  // The frame inside a coroutine, generator or async generator.
  std::optional<FrameView> OfGenerator(Address generator) {
    return At(generator + heap_.offsets().generator_frame);
  }
  GeneratorState StateOf(Address generator, const FrameView& frame);

  // The object in a slot of localsplus, without the tags of 3.14's references; 0 if empty.
  Address Slot(const FrameView& frame, std::uint32_t index);
  // What a suspended frame awaits or delegates to.
  Address Awaited(const FrameView& frame);
  // A local variable, also one in a cell; 0 if there is none or it is not set.
  Address Local(const FrameView& frame, std::string_view name);
  Address LocalAt(const FrameView& frame, std::uint32_t index);

  PythonFrame Describe(const FrameView& frame);
  // Between a call of a class and its __init__(), which 3.12 and later run without leaving the loop
  // (_Py_InitCleanup of specialize.c): it is called "__init__" and so is its file.
  bool IsConstructorShim(const FrameView& frame);
  // The line of the instruction at an offset in bytes.
  std::uint32_t LineAt(const FrameView& frame, std::uint32_t offset) {
    return codes_.LineOf(*frame.code, frame.code->bytecode + offset);
  }

 private:
  Heap& heap_;
  CodeCache& codes_;
};

}  // namespace ct::cpython
