#include "observe/overhead_budget.h"

#include <algorithm>

namespace ct {

WaitDetail OverheadBudget::Note(const ProgramCost& cost, DurationNs window) {
  const double spent = static_cast<double>(cost.run_time) +
                       static_cast<double>(cost.runs) * static_cast<double>(dispatch_);
  last_ = spent / (static_cast<double>(std::max<DurationNs>(1, window)) *
                   static_cast<double>(std::max(1U, cpus_)));
  worst_ = std::max(worst_, last_);
  if (last_ <= share_) return detail_;
  if (detail_ == WaitDetail::kEverything) {
    detail_ = WaitDetail::kStatistics;
  } else if (detail_ == WaitDetail::kStatistics && !filtered_) {
    detail_ = WaitDetail::kNothing;
  } else {
    exceeded_ = true;
  }
  return detail_;
}

}  // namespace ct
