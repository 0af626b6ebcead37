// What memory was to a thread at an earlier moment.
#pragma once

#include <cstdint>
#include <vector>

#include "reader/reader.h"
#include "target/mapping.h"
#include "target/overlay_memory.h"

namespace ct {

// `now`, with `copies` over it; of several copies of one address the first counts. Where one of
// them lies in `stack`, the mapping of the thread's stack pointer then, nothing else of it can be
// read, neither between copies nor around them: the thread has gone on, and what is there now was
// not there then. With `goes_on` what lies above the copies is there still: the thread has not left
// those calls. `stack` may be nullptr: there is no such mapping any more. `now` must outlive it.
OverlayMemory MemoryThen(Memory& now, const std::vector<MemoryCopy>& copies, const Mapping* stack,
                         bool goes_on = false);

}  // namespace ct
