// What a process does, in one word: for the reader who asked about a process in which nothing is
// wrong.
#pragma once

#include "model/observation.h"
#include "observe/look.h"

namespace ct {

// Fills cpu_percent, verdict and verdict_detail of every process of `observation`.
void AddVerdicts(const RawLook& look, const SweepIndex& first, Observation& observation);

}  // namespace ct
