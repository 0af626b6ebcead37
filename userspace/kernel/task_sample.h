// The kernel side's records as the rest of the program sees them.
#pragma once

#include "bpf/wire.h"
#include "kernel/sweep.h"

namespace ct {

// Both leave off_cpu_since on the scheduler's clock.
TaskSample ParseTask(const ct_task_record& record);
StillSample ParseStill(const ct_still_record& record);

}  // namespace ct
