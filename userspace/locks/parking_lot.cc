// The parking_lot crates of Rust: a thread sleeps on a word of its own (parking_lot_core's
// ThreadParker), and only the frames say for what.
#include <array>

#include "locks/frame_rules.h"

namespace ct {
namespace {

constexpr std::array kRules = std::to_array<FrameRule>({
    {"raw_mutex::RawMutex::lock_slow", ResourceKind::kMutex, WaitPurpose::kAcquire,
     "parking_lot::Mutex"},
    {"raw_rwlock::RawRwLock::lock_shared_slow", ResourceKind::kRwLock, WaitPurpose::kAcquire,
     "parking_lot::RwLock", AccessMode::kShared},
    {"raw_rwlock::RawRwLock::", ResourceKind::kRwLock, WaitPurpose::kAcquire,
     "parking_lot::RwLock"},
    {"condvar::Condvar::wait", ResourceKind::kCondition, WaitPurpose::kEvent,
     "parking_lot::Condvar"},
    {"once::Once::call_once_slow", ResourceKind::kOnce, WaitPurpose::kEvent, "parking_lot::Once"},
});
constexpr std::array kParked = std::to_array<FrameRule>({
    {"parking_lot_core::", ResourceKind::kPark, WaitPurpose::kEvent, "parking_lot_core::park"},
});

}  // namespace

std::optional<WaitReading> DecodeParkingLot(const DecodeContext& context) {
  constexpr std::uint32_t kParkedValue = 1;
  const FutexCall& call = context.call;
  if (call.op != FutexOp::kWait || !call.private_futex || call.expected != kParkedValue ||
      !context.frames.api.empty()) {
    return std::nullopt;
  }
  const bool in_crate = MatchInnermost(context.thread.frames, kParked).has_value() ||
                        context.HasCaller("parking_lot::");
  if (!in_crate) return std::nullopt;
  auto match = MatchInnermost(context.thread.frames, kRules);
  if (!match) match = MatchInnermost(context.thread.frames, kParked);
  if (!match) return std::nullopt;
  auto reading = ReadingOf(context, *match, Implementation::kParkingLot);
  if (reading) reading->evidence_note += "; sleeps on its own parker";
  return reading;
}

}  // namespace ct
