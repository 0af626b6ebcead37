// pthread_rwlock_t of glibc: nptl/pthread_rwlock_common.c and struct_rwlock.h of x86-64, the same
// from 2.25 to 2.42. Three words can be slept on:
//   wrphase_futex  a writer until the readers have left (2), readers until the writer has left (3)
//   writers_futex  writers behind another writer (3)
//   readers        a reader that lets writers go first (the word with its waiting bit)
#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "locks/decoders.h"
#include "locks/user_types.h"

namespace ct {
namespace {

struct RwLockImage {
  std::uint32_t
      readers;  // bit 0: write phase, bit 1: write-locked, bit 2: readers wait, then count
  std::uint32_t writers;
  std::uint32_t phase_futex;
  std::uint32_t writers_futex;
  std::array<std::uint32_t, 2> padding;  // memset to 0 by pthread_rwlock_init
  std::uint32_t writer;                  // tid
  std::uint32_t shared;
  std::uint64_t elision;
  std::uint64_t unused;
  std::uint32_t flags;  // PTHREAD_RWLOCK_PREFER_*: 0..2
};
constexpr std::uint64_t kReadersOffset = 0;
constexpr std::uint64_t kPhaseOffset = 8;
constexpr std::uint64_t kWritersOffset = 12;
constexpr std::uint64_t kWriterOffset = 24;

constexpr std::uint32_t kWriteLocked = 2;
constexpr std::uint32_t kReadersWait = 4;
constexpr std::uint32_t kFutexUsed = 2;
constexpr std::uint32_t kMaxPid = 1U << 22;  // PID_MAX_LIMIT

bool IsSane(const RwLockImage& image, bool private_futex) {
  // A writer sets both before it becomes the owner, and every futex value is 0..3.
  const bool writer_sane = (image.readers & kWriteLocked) != 0 || image.writer == 0;
  return image.padding[0] == 0 && image.padding[1] == 0 && image.phase_futex <= 3 &&
         image.writers_futex <= 3 && image.flags <= 2 && image.writer <= kMaxPid && writer_sane &&
         (image.shared != 0) != private_futex;
}

// Could a thread sleep on the word at `offset` of a lock that looks like this? All three waits
// happen only while some writer has the lock or waits first in line for the readers to leave; that
// writer has set writers_futex.
bool WaitFits(const RwLockImage& image, std::uint64_t offset, std::uint32_t expected) {
  if ((image.readers & kWriteLocked) == 0 || image.writers_futex == 0) return false;
  if (offset == kPhaseOffset) return expected == kFutexUsed || expected == (kFutexUsed | 1);
  if (offset == kWritersOffset) return expected == (kFutexUsed | 1);
  return (expected & kReadersWait) != 0 && (expected & kWriteLocked) != 0;
}

std::optional<std::uint64_t> FindLock(const DecodeContext& context, RwLockImage& image) {
  const FutexCall& call = context.call;
  for (const std::uint64_t offset : {kPhaseOffset, kWritersOffset, kReadersOffset}) {
    if (call.word < offset) continue;
    const auto candidate = context.memory.ReadValue<RwLockImage>(call.word - offset);
    if (candidate && IsSane(*candidate, call.private_futex) &&
        WaitFits(*candidate, offset, call.expected)) {
      image = *candidate;
      return call.word - offset;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<WaitReading> DecodeGlibcRwLock(const DecodeContext& context) {
  const WaitFrames& frames = context.frames;
  const WaitApiFrame* called = frames.PthreadCall();
  const bool reads = called != nullptr && called->api == WaitApi::kReadLock;
  const bool writes = called != nullptr && called->api == WaitApi::kWriteLock;
  if (frames.musl || frames.by_syscall) return std::nullopt;
  if (!reads && !writes && !frames.api.empty()) return std::nullopt;
  if (context.call.op != FutexOp::kWaitBitset) return std::nullopt;
  RwLockImage image{};
  const auto object = FindLock(context, image);
  if (!object) return std::nullopt;

  WaitReading reading = ReadingOf(context, ResourceKind::kRwLock, Implementation::kGlibc, *object);
  reading.purpose = WaitPurpose::kAcquire;
  reading.type =
      UserType(context, writes ? WaitApi::kWriteLock : WaitApi::kReadLock, "pthread_rwlock_t");
  const bool waits_for_write_phase =
      context.call.word == *object + kPhaseOffset && context.call.expected == kFutexUsed;
  const bool exclusive =
      called != nullptr ? writes
                        : waits_for_write_phase || context.call.word == *object + kWritersOffset;
  reading.mode = exclusive ? AccessMode::kExclusive : AccessMode::kShared;
  reading.owner_format = OwnerFormat::kTid;
  reading.owner_address = *object + kWriterOffset;
  reading.readers_address = *object + kReadersOffset;
  if (!ReadOwner(reading, context.memory, context.threads)) return std::nullopt;

  const auto owner = static_cast<std::uint32_t>(reading.owner_ns_tid);
  if (called == nullptr) {
    if (!context.IsLiveOwner(owner)) return std::nullopt;
    reading.evidence = Evidence::kProbable;
    reading.evidence_note = "looks like a rwlock with a live writer; frames unknown";
    return reading;
  }
  if (owner != 0) {
    reading.evidence = reading.word_matches ? Evidence::kCertain : Evidence::kProbable;
    reading.evidence_note = reading.word_matches
                                ? OwnerNote(called->name)
                                : "lock word changed while it was read, frames in " + called->name;
  } else {
    reading.evidence = Evidence::kCertain;
    reading.evidence_note = "held by " + std::to_string(reading.readers) +
                            (reading.readers == 1 ? " reader" : " readers") +
                            " that the lock does not name, frames in " + called->name;
  }
  return reading;
}

}  // namespace ct
