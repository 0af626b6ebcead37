// musl 1.2's other waits: they all use FUTEX_WAIT, where glibc's use FUTEX_WAIT_BITSET or another
// value, so that the function's name and the call tell the two libraries apart.
#include <cstdint>
#include <optional>
#include <string>

#include "locks/decoders.h"
#include "locks/user_types.h"

namespace ct {
namespace {

constexpr std::uint32_t kMaybeWaiters = 0x40000000;  // of a FILE's lock: stdio_impl.h
constexpr std::uint32_t kWriteLocked = 0x7fffffff;   // of a rwlock, without the waiters bit

// struct pthread of pthread_impl.h: the joiner sleeps on detach_state.
constexpr std::uint64_t kDetachStateInDescriptor = 56;
constexpr std::uint64_t kTidInDescriptor = 48;

WaitReading Named(const DecodeContext& context, ResourceKind kind, WaitPurpose purpose,
                  std::string type, const std::string& function) {
  WaitReading reading = ReadingOf(context, kind, Implementation::kMusl, context.call.word);
  reading.purpose = purpose;
  reading.type = std::move(type);
  reading.evidence = Evidence::kCertain;
  reading.evidence_note = "keeps no owner, frames in " + function;
  return reading;
}

pid_t DescribedThread(const DecodeContext& context) {
  const std::uint64_t word = context.call.word;
  if (word <= kDetachStateInDescriptor) return 0;
  return context.threads.ByThreadPointer(word - kDetachStateInDescriptor);
}

WaitReading Join(const DecodeContext& context, const std::string& function) {
  WaitReading reading = Named(context, ResourceKind::kThreadExit, WaitPurpose::kJoin,
                              UserType(context, WaitApi::kJoin, "pthread_t"), function);
  reading.process_shared = false;
  reading.evidence = Evidence::kProbable;
  if (DescribedThread(context) == 0) return reading;
  const std::uint64_t descriptor = context.call.word - kDetachStateInDescriptor;
  reading.object = descriptor + kTidInDescriptor;
  reading.owner_format = OwnerFormat::kTid;
  reading.owner_address = reading.object;
  reading.evidence = Evidence::kCertain;
  reading.evidence_note = "thread descriptor, frames in " + function;
  return reading;
}

WaitReading RwLock(const DecodeContext& context, const WaitApiFrame& called) {
  WaitReading reading = Named(context, ResourceKind::kRwLock, WaitPurpose::kAcquire,
                              UserType(context, called.api, "pthread_rwlock_t"), called.name);
  if (called.api == WaitApi::kReadLock) reading.mode = AccessMode::kShared;
  const std::uint32_t holders = context.call.expected & kWriteLocked;
  reading.evidence_note = holders == kWriteLocked ? "held by a writer"
                                                  : "held by " + std::to_string(holders) +
                                                        (holders == 1 ? " reader" : " readers");
  reading.evidence_note += " that the lock does not name, frames in " + called.name;
  return reading;
}

WaitReading Condition(const DecodeContext& context, const std::string& function) {
  WaitReading reading = Named(context, ResourceKind::kCondition, WaitPurpose::kEvent,
                              UserType(context, WaitApi::kCondition, "pthread_cond_t"), function);
  if (context.call.private_futex) {
    // pthread_cond_timedwait.c: a word in the waiter's stack frame, which no one else waits on.
    reading.evidence = Evidence::kProbable;
    reading.evidence_note = "sleeps on its own place in the queue, frames in " + function;
  }
  return reading;
}

std::optional<WaitReading> OfPthread(const DecodeContext& context, const WaitApiFrame& called) {
  switch (called.api) {
    case WaitApi::kReadLock:
    case WaitApi::kWriteLock:
      return RwLock(context, called);
    case WaitApi::kCondition:
      return Condition(context, called.name);
    case WaitApi::kSemaphore:
      return Named(context, ResourceKind::kSemaphore, WaitPurpose::kEvent, "sem_t", called.name);
    case WaitApi::kBarrier:
      return Named(context, ResourceKind::kBarrier, WaitPurpose::kEvent, "pthread_barrier_t",
                   called.name);
    case WaitApi::kOnce:
      return Named(context, ResourceKind::kOnce, WaitPurpose::kEvent,
                   UserType(context, WaitApi::kOnce, "pthread_once_t"), called.name);
    case WaitApi::kJoin:
      return Join(context, called.name);
    default:
      return std::nullopt;
  }
}

std::optional<WaitReading> OfLibrary(const DecodeContext& context) {
  const FutexCall& call = context.call;
  const WaitApiFrame* stdio = context.frames.Find(WaitApi::kStdio);
  if (stdio != nullptr && (call.expected & kMaybeWaiters) != 0) {
    WaitReading reading =
        Named(context, ResourceKind::kStdioLock, WaitPurpose::kAcquire, "FILE lock", stdio->name);
    reading.owner_format = OwnerFormat::kTidInWord;
    reading.evidence_note = OwnerNote(stdio->name);
    return reading;
  }
  if (!context.frames.musl && context.frames.named) return std::nullopt;
  // musl cannot be unwound by its own means: often there is but the innermost frame.
  if (context.frames.api.empty() && call.private_futex && DescribedThread(context) != 0) {
    WaitReading reading = Join(context, "");
    reading.evidence = Evidence::kProbable;
    reading.evidence_note = "waits on a live thread's descriptor; frames unknown";
    return reading;
  }
  const WaitApiFrame* malloc_frame = context.frames.Find(WaitApi::kMalloc);
  if (malloc_frame == nullptr) return std::nullopt;
  return Named(context, ResourceKind::kMallocArena, WaitPurpose::kAcquire, "malloc lock",
               malloc_frame->name);
}

}  // namespace

std::optional<WaitReading> DecodeMuslOther(const DecodeContext& context) {
  if (context.frames.glibc || context.frames.by_syscall) return std::nullopt;
  if (context.call.op != FutexOp::kWait) return std::nullopt;
  const WaitApiFrame* called = context.frames.PthreadCall();
  auto reading = called != nullptr ? OfPthread(context, *called) : OfLibrary(context);
  if (!reading || !ReadOwner(*reading, context.memory, context.threads)) return std::nullopt;
  if (reading->owner_format != OwnerFormat::kNone && !reading->word_matches) {
    reading->evidence = Evidence::kProbable;
  }
  return reading;
}

}  // namespace ct
