#include <optional>

#include "locks/decoders.h"

namespace ct {
namespace {

constexpr std::uint32_t kTidMask = 0x3fffffff;  // FUTEX_TID_MASK
constexpr std::uint32_t kOwnerDied = 0x40000000;
// glibc nptl/pthread_rwlock_common.c: PTHREAD_RWLOCK_WRPHASE, PTHREAD_RWLOCK_READER_SHIFT
constexpr std::uint32_t kWritePhase = 1;
constexpr std::uint32_t kReaderShift = 3;

// The tid that a lock names, from the futex word just read or from the owner field.
std::optional<pid_t> OwnerOf(const WaitReading& reading, std::uint32_t word, Memory& memory,
                             const ThreadDirectory& threads) {
  switch (reading.owner_format) {
    case OwnerFormat::kNone:
      return 0;
    case OwnerFormat::kTidInWord:
      return static_cast<pid_t>(word & kTidMask);
    case OwnerFormat::kTid: {
      const auto tid = memory.ReadValue<std::uint32_t>(reading.owner_address);
      if (!tid) return std::nullopt;
      return static_cast<pid_t>(*tid & kTidMask);
    }
    case OwnerFormat::kThreadPointer: {
      const auto pointer = memory.ReadValue<std::uint64_t>(reading.owner_address);
      if (!pointer) return std::nullopt;
      return *pointer == 0 ? 0 : threads.ByThreadPointer(*pointer);
    }
  }
  return std::nullopt;
}

}  // namespace

bool DecodeContext::IsLiveOwner(std::uint32_t tid) const {
  if (tid == 0 || tid > kTidMask) return false;
  const auto ns_tid = static_cast<pid_t>(tid);
  return call.private_futex ? threads.InSameSpace(ns_tid) : threads.Exists(ns_tid);
}

WaitReading ReadingOf(const DecodeContext& context, ResourceKind kind,
                      Implementation implementation, std::uint64_t object) {
  WaitReading reading;
  reading.kind = kind;
  reading.implementation = implementation;
  reading.object = object;
  reading.futex_word = context.call.word;
  reading.process_shared = !context.call.private_futex;
  reading.timed = context.call.timed;
  reading.timeout_ns = context.call.timeout_ns;
  reading.timeout_is_absolute = context.call.absolute && context.call.timed;
  reading.timeout_is_realtime = context.call.realtime && context.call.timed;
  reading.private_futex = context.call.private_futex;
  reading.expected = context.call.expected;
  return reading;
}

bool ReadOwner(WaitReading& reading, Memory& memory, const ThreadDirectory& threads) {
  reading.word_matches = false;
  reading.holders_known = false;
  reading.owner_ns_tid = 0;
  reading.readers = 0;
  const auto before = memory.ReadValue<std::uint32_t>(reading.futex_word);
  if (!before) return false;
  const auto owner = OwnerOf(reading, *before, memory, threads);
  const auto readers = reading.readers_address != 0
                           ? memory.ReadValue<std::uint32_t>(reading.readers_address)
                           : std::optional<std::uint32_t>(0);
  const auto after = memory.ReadValue<std::uint32_t>(reading.futex_word);
  if (!owner || !readers || !after) return false;
  reading.owner_ns_tid = *owner;
  reading.word_matches = *before == reading.expected && *after == reading.expected;
  reading.holders_known = reading.word_matches && *owner != 0;
  const bool read_phase = (*readers & kWritePhase) == 0;
  if (*owner == 0 && read_phase) reading.readers = *readers >> kReaderShift;
  if (reading.robust) reading.owner_died = (*after & kOwnerDied) != 0;
  return true;
}

void ForgetTimeout(WaitReading& reading) {
  reading.timed = false;
  reading.timeout_ns.reset();
  reading.timeout_is_absolute = false;
  reading.timeout_is_realtime = false;
}

std::string OwnerNote(std::string_view function) {
  return "owner word, frames in " + std::string(function);
}

}  // namespace ct
