// pthread_once_t of glibc: the word is 1 plus four times the number of forks while the initializer
// runs. nptl/pthread_once.c. It does not say who runs it.
#include <cstdint>
#include <optional>

#include "locks/decoders.h"
#include "locks/user_types.h"

namespace ct {

std::optional<WaitReading> DecodeGlibcOnce(const DecodeContext& context) {
  constexpr std::uint32_t kStateMask = 3;
  constexpr std::uint32_t kInProgress = 1;
  const WaitApiFrame* called = context.frames.PthreadCall();
  const FutexCall& call = context.call;
  if (context.frames.musl || called == nullptr || called->api != WaitApi::kOnce ||
      call.op != FutexOp::kWait || (call.expected & kStateMask) != kInProgress) {
    return std::nullopt;
  }
  WaitReading reading = ReadingOf(context, ResourceKind::kOnce, Implementation::kGlibc, call.word);
  reading.purpose = WaitPurpose::kEvent;
  reading.type = UserType(context, WaitApi::kOnce, "pthread_once_t");
  reading.process_shared = false;
  reading.evidence = Evidence::kCertain;
  reading.evidence_note = "initializer in progress, frames in " + called->name;
  if (!ReadOwner(reading, context.memory, context.threads)) return std::nullopt;
  return reading;
}

}  // namespace ct
