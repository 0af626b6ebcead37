// Where in a process functions are probed.
#pragma once

#include <string>
#include <vector>

#include "reader/reader.h"
#include "target/target.h"

namespace ct {

struct FunctionsRead {
  std::vector<FunctionFound> functions;  // at most kMaxFunctions
  std::vector<Loss> losses;
};

FunctionsRead FindFunctions(Target& target, const std::vector<FunctionToFind>& wanted);

// Of `wanted` what can be read, in the same order; not what is longer than it may be.
std::vector<MemoryCopy> ReadMemory(Memory& memory, const std::vector<MemoryToRead>& wanted);

}  // namespace ct
