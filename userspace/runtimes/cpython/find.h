// Finds the CPython in a process.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "runtimes/cpython/offsets.h"
#include "target/target.h"

namespace ct::cpython {

struct Interpreter {
  std::uint64_t runtime = 0;  // the address of _PyRuntime
  std::uint32_t version = 0;  // PY_VERSION_HEX
  const Offsets* offsets = nullptr;
};

// nullopt: no CPython in it. kUnsupported: one that this reader does not know, with why.
Result<std::optional<Interpreter>> FindInterpreter(Target& target);

// Of a _PyRuntime at this address. `version` is what the symbol Py_Version holds, 0 if there is no
// such symbol: 3.11 and 3.12 say it nowhere else, later versions in _PyRuntime itself.
Result<Interpreter> IdentifyInterpreter(Memory& memory, std::uint64_t runtime,
                                        std::uint64_t version);

}  // namespace ct::cpython
