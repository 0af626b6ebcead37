// What programs are told of a Python process to find its frames.
#pragma once

#include "bpf/wire.h"
#include "model/task_probe.h"

namespace ct {

// Every word of a frame that a program reads lies in what it may copy of it: a probe that says
// otherwise comes from a reader that cannot be trusted.
bool IsSane(const FrameProbe& probe);
ct_frame_probe DescribeFrames(const FrameProbe& probe);

}  // namespace ct
