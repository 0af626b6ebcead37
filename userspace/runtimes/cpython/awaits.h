// The chain of awaits of one coroutine.
#pragma once

#include <cstdint>
#include <vector>

#include "runtimes/cpython/frames.h"
#include "runtimes/cpython/objects.h"

namespace ct::cpython {

struct AwaitChain {
  std::vector<FrameView> frames;  // outermost first
  // How the chain ended: of the innermost coroutine or generator.
  GeneratorState state = GeneratorState::kUnreadable;
  bool truncated = false;  // frames are missing at the inner end
};

// Follows await, yield from, async for and async generators from the outermost coroutine, through
// at most `max_frames`.
AwaitChain FollowAwaits(Heap& heap, FrameReader& frames, Address coroutine, std::size_t max_frames);

}  // namespace ct::cpython
