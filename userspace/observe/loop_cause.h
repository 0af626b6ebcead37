// Why an event loop stands: a judgement on what was seen of its thread meanwhile. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/clock.h"
#include "model/event_loop.h"
#include "model/frame.h"
#include "runtimes/python_process.h"

namespace ct {

// Who has the GIL, as the loop's thread sees it.
enum class GilOwner : std::uint8_t { kNobody, kItself, kOther };

// One look at a loop's thread in the middle of an iteration.
struct LoopSample {
  ThreadActivity activity;
  std::uint64_t task = 0;  // that runs; 0: a callback that is no task
  std::string task_name;
  std::string callback;  // what the loop called, by its function and file; empty: not known
  bool at_one_instruction = false;  // see PythonThread
  bool moved = false;
  Stack stack;
  GilOwner gil = GilOwner::kNobody;
  bool waits_for_gil = false;
  bool collecting = false;  // who has the GIL collects garbage
  std::string gil_holder;   // kOther: "thread worker (4243) in crunch images.py:12"
  bool gil_holder_sleeps = false;
  std::string lock;           // in a futex: "threading.Lock held by ..."; empty: not known
  bool others_sleep = false;  // all other threads of Python
  // How long the other threads of Python have waited for a CPU, all together; unset: not known.
  std::optional<DurationNs> others_queued;
};

// What `process` says of one of its threads; thread.activity is set.
LoopSample SampleOf(const PythonProcess& process, const PythonThread& thread);

// True if the thread is inside its loop's own selector: no iteration is in progress.
bool IsInSelector(const PythonProcess& process, const PythonThread& thread);

struct BlockJudgement {
  BlockCause cause = BlockCause::kUnknown;
  // Certain: at least two looks, and all agree.
  Evidence evidence = Evidence::kUnknown;
  std::string detail;
  bool several = false;   // not one callback or task in all looks
  std::size_t shown = 0;  // the sample that shows it best
};
// True if it says who has the lock that its thread waits for.
bool NamesHolder(const LoopSample& sample);

// Of samples in their order; `cpu_share`, from 0 to 1, is how much of the time its thread ran,
// where that was measured, of that in which it had a CPU or slept.
BlockJudgement JudgeBlock(std::span<const LoopSample> samples,
                          std::optional<double> cpu_share = std::nullopt);
// The same of one iteration of any length. Who keeps it waiting for a lock, or the GIL, may have
// had no CPU: where that cannot be ruled out the cause is not known.
BlockJudgement JudgeIteration(std::span<const LoopSample> samples,
                              std::optional<double> cpu_share = std::nullopt);
// The same of one that has ended, whose thread ran for `cpu` and slept for `slept`. A cause that
// did not take most of `threshold` does not explain it.
BlockJudgement JudgeIteration(std::span<const LoopSample> samples, DurationNs cpu, DurationNs slept,
                              DurationNs threshold);

}  // namespace ct
