// pthread_mutex_t of glibc.
#include <cstdint>
#include <optional>
#include <string>

#include "locks/decoders.h"
#include "locks/glibc_mutex_image.h"
#include "locks/user_types.h"

namespace ct {
namespace {

constexpr std::uint64_t kOwnerOffset = 8;

constexpr std::uint32_t kLockedWithWaiters = 2;
constexpr std::uint32_t kCeilingShift = 19;  // PTHREAD_MUTEX_PRIO_CEILING_SHIFT
constexpr std::uint32_t kFutexWaiters = 0x80000000;

// Which of glibc's three ways to wait for a mutex the futex call is.
enum class Protocol { kNormal, kRobust, kPriorityInheritance };

std::optional<Protocol> ProtocolOf(const FutexCall& call, const MutexImage& image) {
  if ((image.kind & ~kKindBits) != 0) return std::nullopt;
  if (call.op == FutexOp::kLockPi) {
    if ((image.kind & kKindInheritPriority) == 0) return std::nullopt;
    return Protocol::kPriorityInheritance;
  }
  // lll_lock waits with FUTEX_WAIT; only the timed calls use FUTEX_WAIT_BITSET.
  const bool op_fits =
      (call.op == FutexOp::kWait && !call.timed) || (call.op == FutexOp::kWaitBitset && call.timed);
  if (!op_fits || (image.kind & kKindInheritPriority) != 0) return std::nullopt;
  if ((image.kind & kKindRobust) != 0) {
    if (call.private_futex || (call.expected & kFutexWaiters) == 0) return std::nullopt;
    return Protocol::kRobust;
  }
  const bool shared = (image.kind & kKindShared) != 0;
  if (shared == call.private_futex) return std::nullopt;
  const bool ceiling = (image.kind & kKindProtectPriority) != 0;
  const std::uint32_t state = ceiling ? call.expected & ((1U << kCeilingShift) - 1) : call.expected;
  if (state != kLockedWithWaiters) return std::nullopt;
  return Protocol::kNormal;
}

// The function whose frames prove that this is a mutex; empty if the frames are unknown.
// nullopt: the frames are those of something else.
std::optional<std::string> ProvingFunction(const DecodeContext& context) {
  const WaitFrames& frames = context.frames;
  if (frames.internal_lock || frames.musl || frames.by_syscall) return std::nullopt;
  if (const WaitApiFrame* mutex = frames.Find(WaitApi::kMutex)) {
    if (const WaitApiFrame* condition = frames.Find(WaitApi::kCondition)) return condition->name;
    return mutex->name;
  }
  // A condition wait ends by locking its mutex again, in a function that has no name of its own
  // in a stripped library. The signature has decided that the wait is this one.
  if (const WaitApiFrame* condition = frames.Find(WaitApi::kCondition)) return condition->name;
  if (!frames.api.empty()) return std::nullopt;
  return "";
}

}  // namespace

std::string MutexTypeName(std::uint32_t kind) {
  std::string attributes;
  const auto add = [&](bool present, const char* name) {
    if (!present) return;
    if (!attributes.empty()) attributes += ", ";
    attributes += name;
  };
  add((kind & kTypeMask) == 1, "recursive");
  add((kind & kTypeMask) == 2, "error-checking");
  add((kind & kTypeMask) == 3, "adaptive");
  add((kind & kKindRobust) != 0, "robust");
  add((kind & kKindInheritPriority) != 0, "priority inheritance");
  add((kind & kKindProtectPriority) != 0, "priority ceiling");
  // A robust mutex has this bit whether its user asked for it or not.
  add((kind & kKindShared) != 0 && (kind & kKindRobust) == 0, "process-shared");
  return attributes.empty() ? "pthread_mutex_t" : "pthread_mutex_t (" + attributes + ")";
}

std::optional<WaitReading> DecodeGlibcMutex(const DecodeContext& context) {
  const auto function = ProvingFunction(context);
  if (!function) return std::nullopt;
  const auto image = context.memory.ReadValue<MutexImage>(context.call.word);
  if (!image) return std::nullopt;
  const auto protocol = ProtocolOf(context.call, *image);
  if (!protocol) return std::nullopt;

  WaitReading reading =
      ReadingOf(context, ResourceKind::kMutex, Implementation::kGlibc, context.call.word);
  reading.purpose = WaitPurpose::kAcquire;
  reading.type = UserType(context, WaitApi::kMutex, MutexTypeName(image->kind));
  reading.robust = (image->kind & kKindRobust) != 0;
  if (*protocol == Protocol::kNormal) {
    reading.owner_format = OwnerFormat::kTid;
    reading.owner_address = context.call.word + kOwnerOffset;
  } else {
    reading.owner_format = OwnerFormat::kTidInWord;
    // The kernel sets the waiters bit for its sleepers; LOCK_PI passes no value to compare with.
    if (*protocol == Protocol::kPriorityInheritance) reading.expected = image->lock | kFutexWaiters;
  }
  if (!ReadOwner(reading, context.memory, context.threads)) return std::nullopt;

  // Without a pthread_mutex function's name the image itself must look like a mutex that a live
  // thread holds. malloc's arena passes for one owned by thread 1 until `users` is looked at.
  const bool named_mutex = context.frames.Find(WaitApi::kMutex) != nullptr;
  const auto owner = static_cast<std::uint32_t>(reading.owner_ns_tid);
  const bool held = owner != 0 && (*protocol != Protocol::kNormal || image->users != 0);
  if (!named_mutex && !held) return std::nullopt;
  if (function->empty()) {
    if (!context.IsLiveOwner(owner)) return std::nullopt;
    reading.evidence = Evidence::kProbable;
    reading.evidence_note = "looks like a mutex with a live owner; frames unknown";
    return reading;
  }
  if (!reading.word_matches) {
    reading.evidence = Evidence::kProbable;
    reading.evidence_note = "lock word changed while it was read, frames in " + *function;
    return reading;
  }
  reading.evidence = Evidence::kCertain;
  reading.evidence_note = OwnerNote(*function);
  return reading;
}

}  // namespace ct
