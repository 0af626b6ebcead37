// pthread_cond_t of glibc: nptl/pthread_cond_wait.c. A waiter sleeps on g_signals[0] or [1]; which,
// and where they are, is found by trying: 2.41 dropped g_refs and so moved them from 40 to 32.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "locks/decoders.h"
#include "locks/user_types.h"

namespace ct {
namespace {

constexpr std::uint64_t kSignalsUntil240 = 40;
constexpr std::uint64_t kSignalsSince241 = 32;
constexpr std::size_t kConditionSize = 48;

constexpr std::uint32_t kSharedFlag = 1;   // __PTHREAD_COND_SHARED_MASK in wrefs
constexpr std::uint32_t kWaiterShift = 3;  // wrefs counts waiters in units of 8
constexpr std::uint32_t kOrigSizeShift = 2;
constexpr std::uint32_t kMaxWaiters = 1U << 22;  // PID_MAX_LIMIT: one wait a thread

using ConditionImage = std::array<std::byte, kConditionSize>;

template <class T>
T At(const ConditionImage& image, std::size_t offset) {
  T value;
  std::memcpy(&value, image.data() + offset, sizeof(T));
  return value;
}

// Can these bytes be a condition variable with a waiter? wseq counts all waits ever begun, and
// every other counter is a part of it.
bool IsSane(const ConditionImage& image, std::uint64_t signals, bool private_futex) {
  const auto wrefs = At<std::uint32_t>(image, signals - 4);
  const std::uint64_t waiters = wrefs >> kWaiterShift;
  const std::uint64_t begun = At<std::uint64_t>(image, 0) >> 1;
  const std::uint64_t first_group_start = At<std::uint64_t>(image, 8) >> 1;
  const std::uint64_t original_size = At<std::uint32_t>(image, signals - 8) >> kOrigSizeShift;
  if (waiters == 0 || waiters > kMaxWaiters || waiters > begun) return false;
  if (first_group_start > begun || original_size > begun) return false;
  if (((wrefs & kSharedFlag) != 0) == private_futex) return false;
  if (signals == kSignalsSince241) return true;
  // Until 2.40 each group counts the threads that use it.
  const std::uint64_t references =
      (At<std::uint32_t>(image, 16) >> 1) + std::uint64_t{At<std::uint32_t>(image, 20) >> 1};
  return references != 0 && references <= waiters;
}

// The library keeps the object's address in a register while it sleeps, more often than not.
bool InRegisters(const Registers& registers, std::uint64_t address) {
  return std::find(registers.dwarf.begin(), registers.dwarf.end(), address) !=
         registers.dwarf.end();
}

std::optional<std::uint64_t> FindCondition(const DecodeContext& context) {
  std::optional<std::uint64_t> found;
  for (const std::uint64_t signals : {kSignalsUntil240, kSignalsSince241}) {
    for (const std::uint64_t group : {0, 1}) {
      const std::uint64_t offset = signals + 4 * group;
      if (context.call.word < offset) continue;
      const std::uint64_t object = context.call.word - offset;
      const auto image = context.memory.ReadValue<ConditionImage>(object);
      if (!image || object % 8 != 0 || !IsSane(*image, signals, context.call.private_futex)) {
        continue;
      }
      if (InRegisters(context.thread.registers, object)) return object;
      if (!found) found = object;
    }
  }
  return found;
}

}  // namespace

std::optional<WaitReading> DecodeGlibcCondition(const DecodeContext& context) {
  const WaitFrames& frames = context.frames;
  const WaitApiFrame* called = frames.PthreadCall();
  const bool in_wait = called != nullptr && called->api == WaitApi::kCondition;
  if (frames.musl || frames.by_syscall || (!in_wait && !frames.api.empty())) return std::nullopt;
  if (context.call.op != FutexOp::kWaitBitset) return std::nullopt;
  // Since 2.41 the expected value counts signals; before, it is always 0.
  if (!in_wait && context.call.expected != 0) return std::nullopt;
  const auto object = FindCondition(context);
  if (!object && !in_wait) return std::nullopt;

  WaitReading reading = ReadingOf(context, ResourceKind::kCondition, Implementation::kGlibc,
                                  object.value_or(context.call.word));
  reading.purpose = WaitPurpose::kEvent;
  reading.type = UserType(context, WaitApi::kCondition, "pthread_cond_t");
  reading.evidence = in_wait && object ? Evidence::kCertain : Evidence::kProbable;
  if (!in_wait) {
    reading.evidence_note = "looks like a condition variable; frames unknown";
  } else if (object) {
    reading.evidence_note = "waiter count, frames in " + called->name;
  } else {
    reading.evidence_note = "frames in " + called->name + ", object not recognized";
  }
  if (!ReadOwner(reading, context.memory, context.threads)) return std::nullopt;
  return reading;
}

}  // namespace ct
