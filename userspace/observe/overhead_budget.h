// How much of the host's CPU time counting waits may cost, and what is given up past it.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace ct {

// What is still seen, the most first.
enum class WaitDetail : std::uint8_t {
  kEverything,
  kStatistics,  // no records: who and where is not known any more
  kNothing,     // host-wide counting has stopped
};

// What the programs cost in one window of time.
struct ProgramCost {
  std::uint64_t runs = 0;
  DurationNs run_time = 0;  // inside the programs
  DurationNs others = 0;    // what calls that are none of ours took longer
};

class OverheadBudget {
 public:
  // `share`: of all CPUs, 0.01 = 1 %. `dispatch`: what calling a program costs besides its own run
  // time. `filtered`: the user asked for certain processes, which are counted in any case.
  OverheadBudget(double share, std::uint32_t cpus, DurationNs dispatch, bool filtered)
      : share_(share), cpus_(cpus), dispatch_(dispatch), filtered_(filtered) {}

  // The window's cost as a share of all CPUs; at most one step down a call, and none that could
  // not be enough.
  WaitDetail Note(const ProgramCost& cost, DurationNs window);

  [[nodiscard]] WaitDetail detail() const { return detail_; }
  [[nodiscard]] double last() const { return last_; }
  [[nodiscard]] double worst() const { return worst_; }
  // Past the budget although nothing is left that could be given up.
  [[nodiscard]] bool exceeded() const { return exceeded_; }

 private:
  double share_;
  std::uint32_t cpus_;
  DurationNs dispatch_;
  bool filtered_;
  WaitDetail detail_ = WaitDetail::kEverything;
  double last_ = 0;
  double worst_ = 0;
  bool exceeded_ = false;
};

}  // namespace ct
