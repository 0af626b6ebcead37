// Keeps the tracer's own cost within bounds: past them it looks less often, and says so.
#pragma once

#include <string>

#include "base/clock.h"

namespace ct {

class Pacer {
 public:
  explicit Pacer(DurationNs interval) : asked_(interval), interval_(interval) {}

  [[nodiscard]] DurationNs interval() const { return interval_; }

  // Around one step of the loop. `reader_cpu`: CPU time of the reader process since it started.
  // Returns a line for the user when the pace changes, empty otherwise.
  void BeginStep(DurationNs reader_cpu);
  std::string EndStep(DurationNs reader_cpu);
  // CPU time of both processes between steps that had nothing to do with them.
  void LeaveOut(DurationNs cpu) { window_cpu_ += cpu; }

  // Of one core, averaged over kSteps steps.
  static constexpr double kMaxCpu = 0.03;
  // The pace is taken up again well below it, so that it does not swing.
  static constexpr double kLowCpu = 0.01;
  static constexpr int kSteps = 8;
  static constexpr int kMaxSlowdown = 16;

  // The rule itself, for the tests: the next interval after `cpu` within `wall`.
  [[nodiscard]] static DurationNs Next(DurationNs asked, DurationNs now, double cpu_share);

 private:
  DurationNs asked_;
  DurationNs interval_;
  TimeNs window_begin_ = 0;
  DurationNs window_cpu_ = 0;
  DurationNs last_reader_cpu_ = 0;
  // Of this window; -1: before the first step, whose sweep reports everybody in full.
  int steps_ = -1;
};

}  // namespace ct
