// Stacks: what a thread was doing, in terms that another machine can symbolize again.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ct {

// Indices into the tables of one Observation. kNoIndex is "none".
using ModuleIndex = std::int32_t;
using StackIndex = std::int32_t;
using ProcessIndex = std::int32_t;
using ActorIndex = std::int32_t;
using ResourceIndex = std::int32_t;
using WaitIndex = std::int32_t;
using HoldIndex = std::int32_t;
using SwallowedIndex = std::int32_t;
using NeverAwaitedIndex = std::int32_t;
inline constexpr std::int32_t kNoIndex = -1;

// One mapped ELF file. Path as the target names it (its own mount namespace), never opened by it.
struct Module {
  std::string path;
  std::string build_id;  // lower-case hex; empty where the file has none
  bool deleted = false;  // the file was unlinked or replaced after it was mapped
  auto operator<=>(const Module&) const = default;
};

enum class FrameOrigin : std::uint8_t {
  kNative,
  kKernel,
  kJit,     // from a perf map: name only
  kPython,  // a runtime's own frame
};

struct Frame {
  FrameOrigin origin = FrameOrigin::kNative;
  std::uint64_t address = 0;        // pc in the target's memory (call address - 1 is *not* applied)
  ModuleIndex module = kNoIndex;    // kNoIndex: no file behind this pc
  std::uint64_t module_offset = 0;  // pc as an address of the module's own ELF (p_vaddr space)
  std::string function;             // demangled; empty if unknown
  std::string file;                 // source file as the debug information names it; may be empty
  std::uint32_t line = 0;           // 0 = unknown
  bool inlined = false;             // inlined into the next (outer) frame of the same address
  bool guessed = false;             // found by scanning, not by call frame information
  bool of_pool = false;  // of the pool that is waited for there, not of who asks it for a unit
  auto operator<=>(const Frame&) const = default;
};

// Python's own library lies in lib/python3.N/, installed packages below it.
bool IsPythonPackage(std::string_view file);
bool IsPythonLibrary(std::string_view file);

// Why a stack ends where it ends. Only kComplete may be read as "the whole stack".
enum class StackEnd : std::uint8_t {
  kComplete,  // the last frame's return address is undefined: the thread's start
  kTooDeep,   // our frame limit
  kNoUnwindInfo,
  kUnreadable,  // memory of the target could not be read
  kMoved,       // the thread ran while we read: frames may not belong together
  kNotRead,     // never tried, or the reader's deadline passed
};

struct Stack {
  std::vector<Frame> frames;  // innermost first; inlined frames stand before their caller
  StackEnd end = StackEnd::kNotRead;
  auto operator<=>(const Stack&) const = default;
};

// The innermost frame of Python code that is the program's own; else of an installed package; else
// the innermost of all; nullptr of an empty stack.
const Frame* OwnPythonFrame(const Stack& stack);

}  // namespace ct
