#include "cli/pacer.h"

#include <algorithm>

#include <fmt/format.h>

namespace ct {

DurationNs Pacer::Next(DurationNs asked, DurationNs now, double cpu_share) {
  if (cpu_share > kMaxCpu) return std::min(now * 2, asked * kMaxSlowdown);
  if (cpu_share < kLowCpu) return std::max(now / 2, asked);
  return now;
}

void Pacer::BeginStep(DurationNs reader_cpu) {
  if (steps_ == 0) {
    // The first look comes before the first step.
    last_reader_cpu_ = std::max(last_reader_cpu_, reader_cpu);
    window_begin_ = MonotonicNow();
    window_cpu_ = ProcessCpuTime() + last_reader_cpu_;
  }
}

std::string Pacer::EndStep(DurationNs reader_cpu) {
  last_reader_cpu_ = std::max(last_reader_cpu_, reader_cpu);
  if (++steps_ < kSteps) return {};
  steps_ = 0;
  const DurationNs wall = std::max<DurationNs>(1, MonotonicNow() - window_begin_);
  const DurationNs cpu = ProcessCpuTime() + last_reader_cpu_ - window_cpu_;
  const double share = static_cast<double>(cpu) / static_cast<double>(wall + interval_);
  const DurationNs next = Next(asked_, interval_, share);
  if (next == interval_) return {};
  const bool slower = next > interval_;
  interval_ = next;
  return fmt::format("sweeps {} every {}: they took {:.1f} % of a core",
                     slower ? "now only" : "again", FormatDuration(next), 100 * share);
}

}  // namespace ct
