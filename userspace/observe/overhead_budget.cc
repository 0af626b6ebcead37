#include "observe/overhead_budget.h"

#include <algorithm>

namespace ct {

WaitDetail OverheadBudget::Note(const ProgramCost& cost, DurationNs window) {
  const double all = static_cast<double>(std::max<DurationNs>(1, window)) *
                     static_cast<double>(std::max(1U, cpus_));
  const double others = static_cast<double>(cost.others) / all;
  last_ = others + (static_cast<double>(cost.run_time) +
                    static_cast<double>(cost.runs) * static_cast<double>(dispatch_)) /
                       all;
  worst_ = std::max(worst_, last_);
  if (last_ <= share_) return detail_;
  // Records are worth giving up only if that can be enough.
  if (detail_ == WaitDetail::kEverything && others <= share_) {
    detail_ = WaitDetail::kStatistics;
  } else if (detail_ != WaitDetail::kNothing && !filtered_) {
    detail_ = WaitDetail::kNothing;
  } else {
    exceeded_ = true;
  }
  return detail_;
}

}  // namespace ct
