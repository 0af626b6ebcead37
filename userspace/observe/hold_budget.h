// How much of a process's CPU time following its holds may cost, and what comes off past it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "kernel/holds.h"

namespace ct {

// What one family of probes has cost its process so far.
struct FamilyCost {
  std::string family;
  std::uint64_t calls = 0;
  DurationNs cost = 0;
};

// By the costs that were measured at the start.
DurationNs CostOf(const HoldCosts& costs, const HoldProbe& probe, const ProbeHits& hits);

struct OverBudget {
  std::string family;         // the dearest
  double share = 0;           // of the process's CPU time that all families together took
  double calls_a_second = 0;  // of this family
};

// One process's account. Looked at a few milliseconds after each probe was armed and then at
// intervals.
class HoldBudget {
 public:
  // `share`: of the process's CPU time, 0.02 = 2 %; from 1 on nothing ever comes off.
  explicit HoldBudget(double share) : share_(share) {}

  // `cpu`: all CPU time of the process so far, with what the probes took. The window is the time
  // since the last call that did not ask for anything to come off, at least kShortest. nullopt:
  // within the budget.
  std::optional<OverBudget> Check(TimeNs now, DurationNs cpu,
                                  const std::vector<FamilyCost>& families);

 private:
  // A burst that is over before it could be seen in a graph is not worth losing sight for; and a
  // process that hardly runs is allowed as much as one that takes a tenth of a CPU.
  static constexpr DurationNs kShortest = 50 * kMillisecond;
  static constexpr DurationNs kWindow = 200 * kMillisecond;
  static constexpr double kLeastCpu = 0.1;
  // Nobody has ever missed a millisecond: a few calls at a thread's start are no reason.
  static constexpr DurationNs kLeastCost = kMillisecond;

  struct Point {
    TimeNs at = 0;
    DurationNs cpu = 0;
    std::vector<FamilyCost> families;
  };
  double share_;
  Point begin_;
};

}  // namespace ct
