// Abseil's absl::Mutex: a thread sleeps on a word of its own (PerThreadSem), and only the frames
// say for what. absl/synchronization/mutex.cc of 20220623.
#include <array>

#include "locks/frame_rules.h"

namespace ct {
namespace {

// Innermost first: a CondVar wait that takes its mutex again has LockSlow inside WaitCommon.
constexpr std::array kRules = std::to_array<FrameRule>({
    {"Mutex::LockSlow", ResourceKind::kMutex, WaitPurpose::kAcquire, "absl::Mutex"},
    {"Mutex::AwaitCommon", ResourceKind::kCondition, WaitPurpose::kEvent, "absl::Condition"},
    {"CondVar::Wait", ResourceKind::kCondition, WaitPurpose::kEvent, "absl::CondVar"},
});
constexpr std::array kParked = std::to_array<FrameRule>({
    {"AbslInternalPerThreadSemWait", ResourceKind::kPark, WaitPurpose::kEvent,
     "absl::PerThreadSem"},
    {"synchronization_internal::Waiter::Wait", ResourceKind::kPark, WaitPurpose::kEvent,
     "absl::PerThreadSem"},
    {"synchronization_internal::FutexWaiter::Wait", ResourceKind::kPark, WaitPurpose::kEvent,
     "absl::PerThreadSem"},
    {"absl::", ResourceKind::kPark, WaitPurpose::kEvent, "absl::PerThreadSem"},
});

}  // namespace

std::optional<WaitReading> DecodeAbseil(const DecodeContext& context) {
  const auto frames = context.thread.frames;
  if (!context.call.private_futex || context.call.expected != 0 || !context.frames.api.empty()) {
    return std::nullopt;
  }
  const auto parked = MatchInnermost(frames, kParked);
  if (!parked) return std::nullopt;
  auto match = MatchInnermost(frames, kRules);
  // A futex call of the program's own inside an absl callback is none of Abseil's.
  if (!match && parked->rule->text == "absl::") return std::nullopt;
  auto reading = ReadingOf(context, match ? *match : *parked, Implementation::kAbseil);
  if (!reading) return std::nullopt;
  if (reading->kind == ResourceKind::kMutex) {
    // LockWhen() and Await() sleep in the same loop until their condition holds.
    const bool conditional = HasCaller(frames, match->index, "Mutex::Await") ||
                             HasCaller(frames, match->index, "LockWhen");
    if (conditional) {
      reading->kind = ResourceKind::kCondition;
      reading->purpose = WaitPurpose::kEvent;
      reading->type = "absl::Condition";
    } else if (HasCaller(frames, match->index, "Mutex::ReaderLock")) {
      reading->mode = AccessMode::kShared;
    }
  }
  reading->evidence_note += "; sleeps on its own semaphore";
  return reading;
}

}  // namespace ct
