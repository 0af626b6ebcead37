// What one sweep of the host costs.
//
//   sweep_bench --mode=steady|iterated|full --sweeps=N --pause=MILLISECONDS
//
// `iterated` is `steady` without the walk, as on kernels before 6.7. One line a sweep: wall ns, CPU
// ns, threads visited, records of still sleepers, full records, 1 if it was made by the walk.
// `--pause` is slept before each sweep: at 250 the caches are as cold as in a trace at 4 Hz.
#include <time.h>

#include <cstdio>

#include <fmt/format.h>

#include "base/clock.h"
#include "kernel/features.h"
#include "kernel/sweep.h"
#include "tests/targets/target.h"

namespace ct {
namespace {

// The default interval of a trace, which is its `settle` too.
constexpr DurationNs kSettle = 250 * kMillisecond;
// The first sweep reports everybody in full, and the clocks' offset is a median of five.
constexpr int kWarmUp = 6;

void Pause(DurationNs duration) {
  const timespec time{duration / kSecond, duration % kSecond};
  nanosleep(&time, nullptr);
}

int PrintError(const Error& error) {
  fmt::print(stderr, "sweep_bench: {}\n", error.message);
  return 1;
}

int Main(int argc, char** argv) {
  const bool full = HasOption(argc, argv, "--mode=full");
  const long sweeps = NumberOption(argc, argv, "--sweeps", 20);
  const DurationNs pause = NumberOption(argc, argv, "--pause", 0) * kMillisecond;
  const Result<KernelFeatures> features =
      ProbeFeatures(HasOption(argc, argv, "--mode=iterated") ? std::vector<std::string>{"task_walk"}
                                                             : std::vector<std::string>{});
  if (!features) return PrintError(features.error());
  const Result<SweepPlan> plan = PlanSweep(*features, true);
  if (!plan) return PrintError(plan.error());
  const Result<std::unique_ptr<Sweeper>> sweeper = Sweeper::Load(*plan);
  if (!sweeper) return PrintError(sweeper.error());

  for (long i = -kWarmUp; i < sweeps; ++i) {
    if (i >= 0) Pause(pause);
    const TimeNs wall = MonotonicNow();
    const DurationNs cpu = ProcessCpuTime();
    const Result<Sweep> sweep = full ? (*sweeper)->Full({}) : (*sweeper)->Steady(kSettle, {});
    const DurationNs cpu_used = ProcessCpuTime() - cpu;
    const DurationNs wall_used = MonotonicNow() - wall;
    if (!sweep) return PrintError(sweep.error());
    if (i < 0) continue;
    fmt::print("{} {} {} {} {} {}\n", wall_used, cpu_used, sweep->visited, sweep->still.size(),
               sweep->tasks.size(), sweep->walked ? 1 : 0);
  }
  return 0;
}

}  // namespace
}  // namespace ct

int main(int argc, char** argv) { return ct::Main(argc, argv); }
