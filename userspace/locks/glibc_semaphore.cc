// sem_t of glibc, struct new_sem with 64-bit atomics: value at +0 (what is slept on), number of
// waiters at +4, private at +8. nptl/sem_waitcommon.c, the same from 2.21 to 2.42.
#include <cstdint>
#include <optional>

#include "locks/decoders.h"

namespace ct {
namespace {

struct SemaphoreImage {
  std::uint32_t value;
  std::uint32_t waiters;
  std::uint32_t shared;  // 0 or LLL_SHARED (128)
};
constexpr std::uint32_t kMaxWaiters = 1U << 22;  // PID_MAX_LIMIT

}  // namespace

std::optional<WaitReading> DecodeGlibcSemaphore(const DecodeContext& context) {
  const WaitFrames& frames = context.frames;
  const WaitApiFrame* called = frames.PthreadCall();
  const bool in_wait = called != nullptr && called->api == WaitApi::kSemaphore;
  if (frames.musl || frames.by_syscall || (!in_wait && !frames.api.empty())) return std::nullopt;
  const FutexCall& call = context.call;
  if (call.op != FutexOp::kWaitBitset || call.expected != 0) return std::nullopt;
  const auto image = context.memory.ReadValue<SemaphoreImage>(call.word);
  if (!image) return std::nullopt;
  const bool fits = image->waiters != 0 && image->waiters <= kMaxWaiters &&
                    (image->shared == 0 || image->shared == 128) &&
                    (image->shared == 0) == call.private_futex;
  if (!in_wait && !fits) return std::nullopt;

  WaitReading reading =
      ReadingOf(context, ResourceKind::kSemaphore, Implementation::kGlibc, call.word);
  reading.purpose = WaitPurpose::kEvent;
  reading.type = "sem_t";
  reading.evidence = in_wait && fits ? Evidence::kCertain : Evidence::kProbable;
  if (!in_wait) {
    reading.evidence_note = "looks like a semaphore at zero; frames unknown";
  } else {
    reading.evidence_note = "semaphore at zero, frames in " + called->name;
  }
  if (!ReadOwner(reading, context.memory, context.threads)) return std::nullopt;
  return reading;
}

}  // namespace ct
