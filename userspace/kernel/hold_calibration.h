// Functions of this program's own to be probed: what a hit costs is measured on them.
#pragma once

#include <functional>

#include "base/clock.h"
#include "base/result.h"
#include "model/hold_probe.h"

namespace ct {

// An acquire and a release, both at an instruction that the kernel emulates, or both at one that it
// single-steps. kUnsupported where this program's own mappings cannot be read.
struct CalibrationPair {
  HoldProbe acquire;
  HoldProbe release;
};
Result<CalibrationPair> CalibrationProbes(bool emulated);

// Of one call of the pair, on the average of `calls`; the best of some rounds. The calls are made
// by a thread of their own, as most of a target's are.
DurationNs TimeCalibrationPair(bool emulated, int calls);
inline constexpr int kCalibrationRounds = 4;

}  // namespace ct
