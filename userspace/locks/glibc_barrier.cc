// pthread_barrier_t of glibc, struct pthread_barrier {in, current_round, count, shared, out}:
// sysdeps/nptl/internaltypes.h, the same from 2.25 to 2.42. Sleeps on current_round, or on `out`
// when a thread of the next use comes before the last one has left.
#include <cstdint>
#include <optional>
#include <string>

#include "locks/decoders.h"

namespace ct {
namespace {

struct BarrierImage {
  std::uint32_t in;
  std::uint32_t round;
  std::uint32_t count;
  std::uint32_t shared;
  std::uint32_t out;
};
constexpr std::uint64_t kRoundOffset = 4;

}  // namespace

std::optional<WaitReading> DecodeGlibcBarrier(const DecodeContext& context) {
  const WaitApiFrame* called = context.frames.PthreadCall();
  const FutexCall& call = context.call;
  if (context.frames.musl || called == nullptr || called->api != WaitApi::kBarrier ||
      call.op != FutexOp::kWait || call.timed || call.word < kRoundOffset) {
    return std::nullopt;
  }
  const std::uint64_t object = call.word - kRoundOffset;
  const auto image = context.memory.ReadValue<BarrierImage>(object);
  if (!image) return std::nullopt;
  const bool fits = image->count != 0 && image->round == call.expected &&
                    (image->shared == 0) == call.private_futex;
  if (!fits) return std::nullopt;
  WaitReading reading = ReadingOf(context, ResourceKind::kBarrier, Implementation::kGlibc, object);
  reading.purpose = WaitPurpose::kEvent;
  reading.type = "pthread_barrier_t";
  reading.capacity = image->count;
  reading.evidence = Evidence::kCertain;
  // `in` counts all arrivals since the start, `round` those of the finished rounds.
  reading.evidence_note = std::to_string(image->in - image->round) + " of " +
                          std::to_string(image->count) + " threads arrived, frames in " +
                          called->name;
  if (!ReadOwner(reading, context.memory, context.threads)) return std::nullopt;
  return reading;
}

}  // namespace ct
