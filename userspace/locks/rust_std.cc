// std::sync of Rust on Linux: library/std/src/sys/sync/*/futex.rs (1.62 to 1.95; older paths are
// sys/unix/locks/futex_*.rs). No lock keeps an owner.
#include <array>
#include <cstdint>

#include "locks/frame_rules.h"

namespace ct {
namespace {

// A writer of an RwLock {state, writer_notify} sleeps on the second word.
constexpr std::uint64_t kWriterNotifyOffset = 4;
constexpr std::uint32_t kMutexContended = 2;

constexpr std::array kRules = std::to_array<FrameRule>({
    {"Mutex::lock_contended", ResourceKind::kMutex, WaitPurpose::kAcquire, "std::sync::Mutex"},
    {"RwLock::read_contended", ResourceKind::kRwLock, WaitPurpose::kAcquire, "std::sync::RwLock",
     AccessMode::kShared},
    {"RwLock::write_contended", ResourceKind::kRwLock, WaitPurpose::kAcquire, "std::sync::RwLock"},
    {"futex::Condvar::wait", ResourceKind::kCondition, WaitPurpose::kEvent, "std::sync::Condvar"},
    {"futex_condvar::Condvar::wait", ResourceKind::kCondition, WaitPurpose::kEvent,
     "std::sync::Condvar"},
    {"once::futex::Once::", ResourceKind::kOnce, WaitPurpose::kEvent, "std::sync::Once"},
    {"futex::Parker::park", ResourceKind::kPark, WaitPurpose::kEvent, "std::thread::park"},
    {"std::thread::functions::park", ResourceKind::kPark, WaitPurpose::kEvent, "std::thread::park"},
    {"thread::Thread::park", ResourceKind::kPark, WaitPurpose::kEvent, "std::thread::park"},
    {"std::thread::park", ResourceKind::kPark, WaitPurpose::kEvent, "std::thread::park"},
});

}  // namespace

std::optional<WaitReading> DecodeRustStd(const DecodeContext& context) {
  const FutexCall& call = context.call;
  if (call.op != FutexOp::kWaitBitset || !call.private_futex || call.realtime ||
      !context.frames.api.empty()) {
    return std::nullopt;
  }
  const auto match = MatchInnermost(context.thread.frames, kRules);
  if (match) {
    auto reading = ReadingOf(context, *match, Implementation::kRustStd);
    const bool writer = reading && reading->kind == ResourceKind::kRwLock &&
                        reading->mode == AccessMode::kExclusive;
    if (writer && call.word > kWriterNotifyOffset)
      reading->object = call.word - kWriterNotifyOffset;
    return reading;
  }
  // Nobody else sleeps like this: glibc passes a timeout or CLOCK_REALTIME with FUTEX_WAIT_BITSET.
  if (context.frames.named || call.timed || call.expected != kMutexContended) return std::nullopt;
  WaitReading reading =
      ReadingOf(context, ResourceKind::kMutex, Implementation::kRustStd, call.word);
  reading.purpose = WaitPurpose::kAcquire;
  reading.type = "std::sync::Mutex";
  reading.evidence = Evidence::kProbable;
  reading.evidence_note = "waits like a Rust mutex; frames unknown";
  if (!ReadOwner(reading, context.memory, context.threads)) return std::nullopt;
  return reading;
}

}  // namespace ct
