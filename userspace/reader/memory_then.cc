#include "reader/memory_then.h"

#include <algorithm>

namespace ct {

OverlayMemory MemoryThen(Memory& now, const std::vector<MemoryCopy>& copies, const Mapping* stack,
                         bool goes_on) {
  OverlayMemory memory(now);
  std::uint64_t copied = 0;
  for (const MemoryCopy& copy : copies) copied = std::max(copied, copy.address + copy.bytes.size());
  for (const MemoryCopy& copy : copies) {
    memory.Add(copy.address, copy.bytes);
    if (stack == nullptr || !stack->Contains(copy.address)) continue;
    memory.Forbid(stack->begin, goes_on ? std::min(copied, stack->end) : stack->end);
  }
  return memory;
}

}  // namespace ct
