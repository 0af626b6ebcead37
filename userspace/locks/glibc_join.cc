// pthread_join of glibc: the joiner sleeps on the `tid` member of the joined thread's descriptor,
// which the kernel clears and wakes when that thread has ended (CLONE_CHILD_CLEARTID, without the
// private flag). nptl/pthread_join_common.c, the same from 2.31 to 2.42.
#include <cstdint>
#include <optional>

#include "locks/decoders.h"
#include "locks/user_types.h"

namespace ct {
namespace {

// offsetof(struct pthread, tid) on x86-64; the descriptor's address is the thread pointer.
constexpr std::uint64_t kTidInDescriptor = 720;

}  // namespace

std::optional<WaitReading> DecodeGlibcJoin(const DecodeContext& context) {
  const FutexCall& call = context.call;
  const WaitApiFrame* called = context.frames.PthreadCall();
  const bool in_join = called != nullptr && called->api == WaitApi::kJoin;
  if (context.frames.musl || context.frames.by_syscall || (!in_join && !context.frames.api.empty()))
    return std::nullopt;
  if (call.op != FutexOp::kWaitBitset || call.private_futex) return std::nullopt;
  const auto joined = static_cast<pid_t>(call.expected);
  if (joined <= 0) return std::nullopt;
  const bool is_descriptor =
      call.word > kTidInDescriptor &&
      context.threads.ByThreadPointer(call.word - kTidInDescriptor) == joined;
  if (!in_join && !is_descriptor) return std::nullopt;

  WaitReading reading =
      ReadingOf(context, ResourceKind::kThreadExit, Implementation::kGlibc, call.word);
  reading.purpose = WaitPurpose::kJoin;
  reading.type = UserType(context, WaitApi::kJoin, "pthread_t");
  reading.process_shared = false;  // the missing private flag is the kernel's, not the user's
  reading.owner_format = OwnerFormat::kTidInWord;
  if (!ReadOwner(reading, context.memory, context.threads)) return std::nullopt;
  const bool alive = context.threads.InSameSpace(joined) && reading.word_matches;
  reading.evidence = in_join && alive ? Evidence::kCertain : Evidence::kProbable;
  if (!alive) {
    reading.evidence_note = "the joined thread ended while it was read";
  } else if (in_join) {
    reading.evidence_note = "thread descriptor, frames in " + called->name;
  } else {
    reading.evidence_note = "waits on a live thread's descriptor; frames unknown";
  }
  return reading;
}

}  // namespace ct
