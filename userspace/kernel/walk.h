// The steady sweep at less than half of the iterator's cost: a BPF program that is called, walks
// over all threads with the kernel's open-coded iterator and leaves its records in mapped memory.
#pragma once

#include <memory>
#include <optional>

#include "base/result.h"
#include "bpf/wire.h"
#include "kernel/features.h"
#include "kernel/sweep.h"

namespace ct {

class Walk {
 public:
  // About 30 ms. kPermission, kUnsupported with the verifier's words.
  static Result<std::unique_ptr<Walk>> Load(const SweepPlan& plan);
  virtual ~Walk() = default;

  // Fills `sweep` (all but `begin`), times still on the scheduler's clock. Returns when the tracer
  // last got its CPU, on that clock (see ct_sweep_end_record), or nullopt if there were more
  // records than room: `sweep` is then untouched. `request.flags` and `.wanted` are not heeded.
  virtual Result<std::optional<TimeNs>> Run(const ct_sweep_request& request, Sweep& sweep) = 0;
};

}  // namespace ct
