// Locks inside glibc that no user can name and that keep no owner: malloc's arenas and lists, the
// time zone's, the exit handlers'. They wait like a mutex (FUTEX_WAIT for 2), and the words behind
// them may look like one: malloc_state has have_fastchunks (0 or 1) where a mutex has its owner.
#include <optional>

#include "locks/decoders.h"

namespace ct {

std::optional<WaitReading> DecodeGlibcInternalLock(const DecodeContext& context) {
  constexpr std::uint32_t kLockedWithWaiters = 2;
  const WaitFrames& frames = context.frames;
  const FutexCall& call = context.call;
  const WaitApiFrame* malloc_frame = frames.Find(WaitApi::kMalloc);
  if (frames.musl || frames.PthreadCall() != nullptr) return std::nullopt;
  if (malloc_frame == nullptr && !frames.internal_lock) return std::nullopt;
  if (call.op != FutexOp::kWait || call.timed || call.expected != kLockedWithWaiters) {
    return std::nullopt;
  }
  const bool arena = malloc_frame != nullptr;
  WaitReading reading =
      ReadingOf(context, arena ? ResourceKind::kMallocArena : ResourceKind::kMutex,
                Implementation::kGlibc, call.word);
  reading.purpose = WaitPurpose::kAcquire;
  reading.type = arena ? "malloc arena" : "glibc internal lock";
  reading.process_shared = false;
  reading.evidence = Evidence::kCertain;
  reading.evidence_note =
      "keeps no owner, frames in " + (arena ? malloc_frame->name : "__lll_lock_wait_private");
  if (!ReadOwner(reading, context.memory, context.threads)) return std::nullopt;
  return reading;
}

}  // namespace ct
