#include "observe/loop_state.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "observe/syscall_name.h"

namespace ct {
namespace {

// Times the threshold.
constexpr DurationNs kLong = 10;

const PythonThread* Find(const PythonProcess& process, const PythonThread& thread) {
  const auto found =
      std::find_if(process.threads.begin(), process.threads.end(), [&](const PythonThread& other) {
        return other.address == thread.address && other.native_id == thread.native_id;
      });
  return found == process.threads.end() ? nullptr : &*found;
}

// Since when the iteration has been in progress; nullopt: none was seen at both looks.
std::optional<TimeNs> Began(const PythonThread& before, const PythonThread& now,
                            const LoopStatePlace::Thread& thread) {
  if (now.running_loop == 0 || before.running_loop != now.running_loop) return std::nullopt;
  if (now.iteration_began && std::isfinite(*now.iteration_began)) {
    // loop.time() is time.monotonic(), in seconds.
    constexpr double kLimit = 9e9;
    if (before.iteration_began != now.iteration_began || *now.iteration_began <= 0 ||
        *now.iteration_began >= kLimit) {
      return std::nullopt;
    }
    return static_cast<TimeNs>(*now.iteration_began * static_cast<double>(kSecond));
  }
  const bool asleep_elsewhere = thread.slept_since && !IsSelector(thread.activity.syscall) &&
                                before.frames.size() == now.frames.size();
  return asleep_elsewhere ? thread.slept_since : std::nullopt;
}

// Time in which the thread could run and had no CPU is not the loop's, and only that between the
// sweeps can be told: it slept for as long as the threshold, or used as much CPU in this iteration
// between them; or a quarter of that, and by the share of the CPU that it got it would have used
// many times as much since the iteration began.
bool IsItsOwn(const PythonLook& look, const LoopStatePlace& place, TimeNs began,
              const LoopStatePlace::Thread& thread) {
  constexpr DurationNs kQuarter = 4;
  if (thread.slept_since) return look.second_begin - *thread.slept_since >= place.threshold;
  const DurationNs before = began > place.begin ? look.begin - place.begin : 0;
  const DurationNs after = place.end - look.second_begin;
  if (thread.ran - before - after >= place.threshold) return true;
  const double share = static_cast<double>(thread.ran) /
                       static_cast<double>(std::max<DurationNs>(1, place.end - place.begin));
  return thread.ran >= place.threshold / kQuarter &&
         share * static_cast<double>(look.second_begin - began) >=
             static_cast<double>(kLong * place.threshold);
}

}  // namespace

void AddBlock(std::span<const LoopSample> samples, const BlockJudgement& judgement, LoopBlock row,
              Observation& observation) {
  row.cause = judgement.cause;
  row.evidence = judgement.evidence;
  row.detail = judgement.detail;
  row.several = judgement.several;
  if (!samples.empty()) {
    row.task = samples[judgement.shown].task_name;
    row.stack = static_cast<StackIndex>(observation.stacks.size());
    observation.stacks.push_back(samples[judgement.shown].stack);
  }
  observation.loops.blocks.push_back(std::move(row));
}

void AddLoopStates(const PythonLook& look, const LoopStatePlace& place, Observation& observation) {
  for (const PythonThread& now : look.second.threads) {
    const PythonThread* before = Find(look.first, now);
    if (before == nullptr || now.running_loop == 0) continue;
    const LoopStatePlace::Thread thread = place.thread(now);
    const auto began = Began(*before, now, thread);
    if (!began || look.second_begin - *began < place.threshold) continue;
    if (!IsItsOwn(look, place, *began, thread)) continue;
    // Whether Python code moves on is told by two looks at its innermost frame.
    const bool moved = before->instruction != now.instruction;
    std::array<LoopSample, 2> samples;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      PythonThread seen = i == 0 ? *before : now;
      seen.activity = thread.activity;
      seen.moved = seen.moved || moved;
      seen.at_one_instruction = seen.at_one_instruction && !moved;
      samples[i] = SampleOf(i == 0 ? look.first : look.second, seen);
    }
    LoopBlock row;
    row.thread = thread.actor;
    row.count = 1;
    row.worst_begin = *began;
    row.first_begin = *began;
    row.worst = look.second_begin - *began;
    row.total = row.worst;
    row.in_progress = true;
    const BlockJudgement judgement = JudgeBlock(samples);
    // Who keeps it waiting may have had no CPU; not for so long.
    const bool waits = judgement.cause == BlockCause::kLock || judgement.cause == BlockCause::kGil;
    if (waits && row.worst < kLong * place.threshold) continue;
    AddBlock(samples, judgement, std::move(row), observation);
  }
}

}  // namespace ct
