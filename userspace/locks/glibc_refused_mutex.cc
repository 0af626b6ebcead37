// A priority-inheritance mutex that the kernel refused to wait for: FUTEX_LOCK_PI returned EDEADLK,
// because the owner waits, through other such mutexes, for the caller. glibc then parks the thread
// for ever, in __pthread_mutex_lock_full (nptl/pthread_mutex_lock.c, 2.31 to 2.42):
//
//   /* Delay the thread indefinitely. */
//   while (1) __futex_abstimed_wait64 (&(unsigned int){0}, 0, 0 /* ignored */, NULL, private);
//
// The futex word is on the thread's own stack and says nothing. The mutex is what the frames of
// that function still point to, in a register that calls preserve or spilled on the stack.
#include <array>
#include <cstdint>
#include <set>
#include <vector>

#include "locks/decoders.h"
#include "locks/glibc_mutex_image.h"
#include "locks/user_types.h"

namespace ct {
namespace {

// More than the frames of the two or three functions from the lock call to the system call take.
constexpr std::uint64_t kMaxFrames = 1024;
constexpr std::uint32_t kTidMask = 0x3fffffff;  // FUTEX_TID_MASK, linux/futex.h
constexpr std::uint64_t kKindOffset = 16;

// The stack from the innermost frame to the end of the lock function's; empty if that is unknown.
std::vector<std::uint64_t> FrameWords(const DecodeContext& context, std::size_t lock_frame) {
  const BlockedThread& thread = context.thread;
  if (lock_frame >= thread.cfa.size()) return {};
  const std::uint64_t begin = thread.registers.sp();
  const std::uint64_t end = thread.cfa[lock_frame];
  if (end <= begin || end - begin > kMaxFrames) return {};
  if (context.call.word < begin || context.call.word >= end) return {};
  std::vector<std::uint64_t> words((end - begin) / sizeof(std::uint64_t));
  const std::size_t size = words.size() * sizeof(std::uint64_t);
  if (context.memory.Read(begin, std::as_writable_bytes(std::span(words))) != size) return {};
  for (const X86Register kept : {kRbx, kRbp, kR12, kR13, kR14, kR15}) {
    words.push_back(thread.registers.dwarf[kept]);
  }
  return words;
}

// A mutex with priority inheritance that another live thread has.
bool IsTakenPiMutex(const DecodeContext& context, std::uint64_t address) {
  if (address % alignof(std::uint64_t) != 0) return false;
  const auto image = context.memory.ReadValue<MutexImage>(address);
  if (!image || (image->kind & ~kKindBits) != 0 || (image->kind & kKindInheritPriority) == 0) {
    return false;
  }
  const std::uint32_t owner = image->lock & kTidMask;
  return owner != 0 && owner == image->owner && image->users != 0 &&
         owner != static_cast<std::uint32_t>(context.thread.ns_tid) && context.IsLiveOwner(owner);
}

}  // namespace

std::optional<WaitReading> DecodeGlibcRefusedMutex(const DecodeContext& context) {
  const FutexCall& call = context.call;
  const WaitApiFrame* lock = context.frames.Find(WaitApi::kMutex);
  const bool waits = call.op == FutexOp::kWait || call.op == FutexOp::kWaitBitset;
  if (lock == nullptr || !waits || call.timed || call.expected != 0) return std::nullopt;
  std::set<std::uint64_t> candidates;
  for (const std::uint64_t word : FrameWords(context, lock->index)) {
    // The compiler may have kept the address of the mutex or of its kind.
    for (const std::uint64_t address : {word, word - kKindOffset}) {
      if (IsTakenPiMutex(context, address)) candidates.insert(address);
    }
  }
  if (candidates.size() != 1) return std::nullopt;
  const auto image = context.memory.ReadValue<MutexImage>(*candidates.begin());
  if (!image) return std::nullopt;

  WaitReading reading =
      ReadingOf(context, ResourceKind::kMutex, Implementation::kGlibc, *candidates.begin());
  reading.purpose = WaitPurpose::kAcquire;
  reading.type = UserType(context, WaitApi::kMutex, MutexTypeName(image->kind));
  reading.robust = (image->kind & kKindRobust) != 0;
  reading.owner_format = OwnerFormat::kTidInWord;
  reading.futex_word = reading.object;
  reading.expected = image->lock;
  if (!ReadOwner(reading, context.memory, context.threads)) return std::nullopt;
  reading.evidence = Evidence::kProbable;
  reading.evidence_note =
      "the kernel refused the wait as a deadlock; the mutex is what the frames of " + lock->name +
      " refer to";
  return reading;
}

}  // namespace ct
