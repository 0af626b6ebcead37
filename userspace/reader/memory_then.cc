#include "reader/memory_then.h"

namespace ct {

OverlayMemory MemoryThen(Memory& now, const std::vector<MemoryCopy>& copies, const Mapping* stack) {
  OverlayMemory memory(now);
  for (const MemoryCopy& copy : copies) {
    memory.Add(copy.address, copy.bytes);
    if (stack != nullptr && stack->Contains(copy.address)) memory.Forbid(stack->begin, stack->end);
  }
  return memory;
}

}  // namespace ct
