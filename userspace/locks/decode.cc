#include "locks/decode.h"

#include <array>

#include "locks/decoders.h"
#include "locks/futex_call.h"
#include "locks/wait_frames.h"

namespace ct {
namespace {

// Those told by their frames alone come first; then the C libraries' in the order in which their
// signatures are unmistakable. Each refuses what the frames say is another's.
constexpr std::array kDecoders = std::to_array<Decoder>({
    DecodeGo,
    DecodeParkingLot,
    DecodeAbseil,
    DecodeRustStd,
    DecodeGlibcMutex,
    DecodeGlibcRefusedMutex,
    DecodeMuslMutex,
    DecodeGlibcJoin,
    DecodeGlibcStdio,
    DecodeGlibcInternalLock,
    DecodeGlibcRwLock,
    DecodeGlibcCondition,
    DecodeGlibcSemaphore,
    DecodeGlibcBarrier,
    DecodeGlibcOnce,
    DecodeMuslOther,
    DecodeLibstdcxx,
});

WaitReading UnknownFutex(const DecodeContext& context) {
  WaitReading reading =
      ReadingOf(context, ResourceKind::kFutex, Implementation::kUnknown, context.call.word);
  reading.type = "futex";
  reading.evidence_note = "a futex wait that no known lock fits";
  ReadOwner(reading, context.memory, context.threads);
  return reading;
}

}  // namespace

std::optional<WaitReading> DecodeWait(const BlockedThread& thread, Memory& memory,
                                      const ThreadDirectory& threads) {
  const auto call = ParseFutexCall(thread, memory);
  if (!call) return std::nullopt;
  const WaitFrames frames = AnalyzeWaitFrames(thread.frames, thread.modules);
  const bool in_known_wait = frames.plumbing || !frames.api.empty();
  if (call->restarted && frames.named && !in_known_wait) return std::nullopt;
  const DecodeContext context{thread, *call, frames, memory, threads};
  for (const Decoder decoder : kDecoders) {
    auto reading = decoder(context);
    if (!reading) continue;
    RefineJvm(context, *reading);
    RefinePostgres(context, *reading);
    RefineCpython(context, *reading);
    return reading;
  }
  return UnknownFutex(context);
}

bool RefreshOwner(WaitReading& reading, Memory& memory, const ThreadDirectory& threads) {
  // A robust or priority-inheritance lock that changed hands has another word, and its waiter
  // still sleeps: what it slept on is that word while waiters are marked in it.
  constexpr std::uint32_t kWaiterBits = 0xc0000000;
  const bool is_lock =
      reading.owner_format == OwnerFormat::kTidInWord && reading.kind != ResourceKind::kThreadExit;
  if (is_lock) {
    const auto word = memory.ReadValue<std::uint32_t>(reading.futex_word);
    if (word && (*word & reading.expected & kWaiterBits) != 0) reading.expected = *word;
  }
  return ReadOwner(reading, memory, threads) && reading.word_matches;
}

}  // namespace ct
