// Greenlets: stacks of Python frames that are not running, kept by an extension module.
#pragma once

#include <vector>

#include "runtimes/cpython/frames.h"
#include "runtimes/cpython/objects.h"

namespace ct::cpython {

// The frames of one that is suspended, innermost first; none if it runs, is over, or is no
// greenlet. At most `limit`.
std::vector<FrameView> FramesOfGreenlet(Heap& heap, FrameReader& frames, Address greenlet,
                                        std::size_t limit);

}  // namespace ct::cpython
