// DWARF expressions as call frame information uses them: PLT stubs and signal trampolines.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include <elfutils/libdw.h>

#include "model/registers.h"
#include "target/memory.h"

namespace ct {

struct ExpressionContext {
  const Registers& registers;
  std::uint32_t known_registers;     // bit N: register N has a value
  std::optional<std::uint64_t> cfa;  // unset while the CFA itself is computed
  Memory& memory;
};

// The value on top of the stack at the end. nullopt for operations that stand for anything but
// arithmetic, registers, memory and the CFA; branches are among those, so that it always ends.
std::optional<std::uint64_t> Evaluate(std::span<const Dwarf_Op> operations,
                                      const ExpressionContext& context);

}  // namespace ct
