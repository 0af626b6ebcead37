// The lock of a FILE in glibc, _IO_lock_t {int lock; int cnt; void* owner}: stdio-lock.h. The owner
// is a thread pointer, so that it names its thread beyond doubt: no other lock keeps one there.
#include <cstdint>
#include <optional>

#include "locks/decoders.h"

namespace ct {
namespace {

constexpr std::uint64_t kOwnerOffset = 8;
constexpr std::uint32_t kLockedWithWaiters = 2;

}  // namespace

std::optional<WaitReading> DecodeGlibcStdio(const DecodeContext& context) {
  const WaitFrames& frames = context.frames;
  const WaitApiFrame* stdio = frames.Find(WaitApi::kStdio);
  if (frames.musl || frames.by_syscall || frames.PthreadCall() != nullptr) return std::nullopt;
  const FutexCall& call = context.call;
  if (call.op != FutexOp::kWait || !call.private_futex || call.timed ||
      call.expected != kLockedWithWaiters) {
    return std::nullopt;
  }
  WaitReading reading =
      ReadingOf(context, ResourceKind::kStdioLock, Implementation::kGlibc, call.word);
  reading.purpose = WaitPurpose::kAcquire;
  reading.type = "FILE lock";
  reading.owner_format = OwnerFormat::kThreadPointer;
  reading.owner_address = call.word + kOwnerOffset;
  if (!ReadOwner(reading, context.memory, context.threads)) return std::nullopt;
  // malloc called by stdio, and stdio called by malloc's statistics: the owner tells them apart.
  if (reading.owner_ns_tid == 0 && (stdio == nullptr || frames.Find(WaitApi::kMalloc) != nullptr)) {
    return std::nullopt;
  }
  if (stdio == nullptr) {
    reading.evidence = Evidence::kProbable;
    reading.evidence_note = "owner is a live thread's pointer; frames unknown";
  } else if (reading.owner_ns_tid != 0 && !reading.word_matches) {
    reading.evidence = Evidence::kProbable;
    reading.evidence_note = "lock word changed while it was read, frames in " + stdio->name;
  } else {
    reading.evidence = Evidence::kCertain;
    reading.evidence_note = reading.owner_ns_tid != 0
                                ? OwnerNote(stdio->name)
                                : "its owner is no live thread, frames in " + stdio->name;
  }
  return reading;
}

}  // namespace ct
