// pthread_mutex_t of musl 1.2: src/thread/pthread_mutex_timedlock.c. The type is at +0, the word
// that is slept on at +4, the number of waiters at +8.
#include <cstdint>
#include <optional>
#include <string>

#include "locks/decoders.h"
#include "locks/user_types.h"

namespace ct {
namespace {

struct MutexImage {
  std::uint32_t type;
  std::uint32_t lock;
  std::uint32_t waiters;
};
constexpr std::uint64_t kLockOffset = 4;

constexpr std::uint32_t kTypeMask = 3;
constexpr std::uint32_t kOwnerKept = 15;  // a plain mutex has none of these bits
constexpr std::uint32_t kRobust = 4;
constexpr std::uint32_t kInheritPriority = 8;
constexpr std::uint32_t kShared = 128;
constexpr std::uint32_t kTypeBits = kOwnerKept | kShared;

constexpr std::uint32_t kWaiters = 0x80000000;
constexpr std::uint32_t kPlainContended = kWaiters | 16;  // EBUSY

bool Fits(const FutexCall& call, const MutexImage& image) {
  if ((image.type & ~kTypeBits) != 0 || (image.type & kTypeMask) == 3) return false;
  if (((image.type & kShared) != 0) == call.private_futex) return false;
  const bool inherits = (image.type & kInheritPriority) != 0;
  if (call.op == FutexOp::kLockPi) return inherits;
  if (call.op != FutexOp::kWait || inherits || image.waiters == 0) return false;
  return (image.type & kOwnerKept) == 0 ? call.expected == kPlainContended
                                        : (call.expected & kWaiters) != 0;
}

std::string TypeName(std::uint32_t type) {
  std::string attributes;
  const auto add = [&](bool present, const char* name) {
    if (!present) return;
    if (!attributes.empty()) attributes += ", ";
    attributes += name;
  };
  add((type & kTypeMask) == 1, "recursive");
  add((type & kTypeMask) == 2, "error-checking");
  add((type & kRobust) != 0, "robust");
  add((type & kInheritPriority) != 0, "priority inheritance");
  add((type & kShared) != 0, "process-shared");
  return attributes.empty() ? "pthread_mutex_t" : "pthread_mutex_t (" + attributes + ")";
}

}  // namespace

std::optional<WaitReading> DecodeMuslMutex(const DecodeContext& context) {
  const FutexCall& call = context.call;
  const WaitApiFrame* function = context.frames.Find(WaitApi::kMutex);
  if (function == nullptr) function = context.frames.Find(WaitApi::kCondition);
  if (context.frames.glibc || context.frames.by_syscall ||
      (function == nullptr && !context.frames.api.empty())) {
    return std::nullopt;
  }
  if (call.word < kLockOffset) return std::nullopt;
  const std::uint64_t object = call.word - kLockOffset;
  const auto image = context.memory.ReadValue<MutexImage>(object);
  if (!image || !Fits(call, *image)) return std::nullopt;

  WaitReading reading = ReadingOf(context, ResourceKind::kMutex, Implementation::kMusl, object);
  reading.purpose = WaitPurpose::kAcquire;
  reading.type = UserType(context, WaitApi::kMutex, TypeName(image->type));
  reading.robust = (image->type & kRobust) != 0;
  const bool keeps_owner = (image->type & kOwnerKept) != 0;
  if (keeps_owner) reading.owner_format = OwnerFormat::kTidInWord;
  if (call.op == FutexOp::kLockPi) reading.expected = image->lock | kWaiters;
  if (!ReadOwner(reading, context.memory, context.threads)) return std::nullopt;

  if (function == nullptr) {
    const auto owner = static_cast<std::uint32_t>(reading.owner_ns_tid);
    if (keeps_owner && !context.IsLiveOwner(owner)) return std::nullopt;
    reading.evidence = Evidence::kProbable;
    reading.evidence_note = "looks like a musl mutex; frames unknown";
  } else if (keeps_owner && !reading.word_matches) {
    reading.evidence = Evidence::kProbable;
    reading.evidence_note = "lock word changed while it was read, frames in " + function->name;
  } else {
    reading.evidence = Evidence::kCertain;
    reading.evidence_note =
        keeps_owner ? OwnerNote(function->name) : "keeps no owner, frames in " + function->name;
  }
  return reading;
}

}  // namespace ct
