#include "observe/loop_state.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "observe/syscall_name.h"

namespace ct {
namespace {

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

}  // namespace

void AddBlock(std::span<const LoopSample> samples, LoopBlock row, Observation& observation) {
  const BlockJudgement judgement = JudgeBlock(samples);
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
    // Whether Python code moves on is told by two looks at its innermost frame.
    const bool moved = before->instruction != now.instruction;
    std::array<LoopSample, 2> samples;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      PythonThread seen = i == 0 ? *before : now;
      seen.activity = thread.activity;
      seen.at_one_instruction = !moved;
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
    AddBlock(samples, std::move(row), observation);
  }
}

}  // namespace ct
