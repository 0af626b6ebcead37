// What a function's code does with dotted names: `self.pool.acquire()`, `local.user = name`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "runtimes/cpython/opcodes.h"

namespace ct::cpython {

struct Instruction {
  std::uint32_t offset = 0;  // bytes from the start of the bytecode
  std::uint32_t end = 0;     // where the next one begins
  Op op = Op::kOther;        // those of two locals stand here as two
  std::uint32_t argument = 0;
};

// At most `kMaxInstructions` of them.
inline constexpr std::size_t kMaxInstructions = 1 << 16;
std::vector<Instruction> Disassemble(std::span<const std::byte> bytecode, std::uint32_t minor);

enum class NameUse : std::uint8_t { kLoad, kStore, kCall };

// One use of root.attributes[0].attributes[1]...: of the last attribute.
struct NameAccess {
  bool root_is_global = false;
  std::uint32_t root = 0;                 // global: index in co_names; else a local's slot
  std::vector<std::uint32_t> attributes;  // indices in co_names; at least one
  NameUse use = NameUse::kLoad;
  std::uint32_t offset = 0;  // of the instruction that uses the last attribute
  // kCall: a frame whose current instruction lies behind this has the call, and the await of what
  // it returned if it is awaited at once, behind it.
  std::uint32_t done = 0;
  std::uint32_t call = ~0U;  // kCall: of the instruction that calls, behind all arguments; ~0: ?
  bool ignored = false;      // kCall: what was returned is dropped
  std::optional<std::uint32_t> result;  // kCall: the local's slot that keeps what was returned
  // kCall: that of its first argument, if it begins with a local.
  std::optional<std::uint32_t> argument;

  // The same object by the same name.
  [[nodiscard]] bool SameObject(const NameAccess& other) const;
};

struct NameAccesses {
  std::vector<NameAccess> accesses;   // in the order of the code
  std::vector<std::uint32_t> yields;  // offsets at which the function may be suspended
};

// By the order in which the code stands: of branches it knows nothing.
NameAccesses FindNameAccesses(const std::vector<Instruction>& code, std::uint32_t minor);

// Where the code has what a call returned and hands it on.
struct Possession {
  std::uint32_t taken = 0;               // offset of the method that is called for it
  std::uint32_t begin = 0;               // behind that call
  std::uint32_t slot = 0;                // the local that keeps it
  std::vector<std::uint32_t> handed_on;  // offsets of the methods that get it
};
// One of those is reached, and nothing else ends it: neither the function's end nor taking another.
// What an exception leads to is not followed; what the code does where it has nothing is not,
// either.
bool IsAlwaysHandedOn(const std::vector<Instruction>& code, const Possession& possession);

// The code may come from one offset to another without the instructions at `past`. Where only an
// exception leads is not found.
bool MayReach(const std::vector<Instruction>& code, std::uint32_t from, std::uint32_t to,
              const std::vector<std::uint32_t>& past);

}  // namespace ct::cpython
