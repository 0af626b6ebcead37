#include "locks/futex_call.h"

#include <cstddef>

namespace ct {
namespace {

constexpr std::int64_t kSysFutex = 202;
constexpr std::int64_t kSysRestart = 219;
constexpr std::int64_t kSysFutexWaitv = 449;
constexpr std::int64_t kSysFutexWait = 455;  // Linux 6.7

constexpr std::uint64_t kOpWait = 0;
constexpr std::uint64_t kOpLockPi = 6;
constexpr std::uint64_t kOpWaitBitset = 9;
constexpr std::uint64_t kOpWaitRequeuePi = 11;
constexpr std::uint64_t kOpLockPi2 = 13;
constexpr std::uint64_t kPrivateFlag = 128;
constexpr std::uint64_t kRealtimeFlag = 256;

constexpr std::uint64_t kFutex2SizeMask = 3;
constexpr std::uint64_t kFutex2SizeU32 = 2;
constexpr std::uint64_t kFutex2Private = 128;
constexpr std::uint64_t kFutexWaitvMax = 128;
constexpr std::uint64_t kClockRealtime = 0;

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

struct Timespec {
  std::int64_t seconds;
  std::int64_t nanoseconds;
};

struct FutexWaitv {  // struct futex_waitv of the uapi header
  std::uint64_t value;
  std::uint64_t address;
  std::uint32_t flags;
  std::uint32_t reserved;
};

void ReadTimeout(std::uint64_t address, Memory& memory, FutexCall& call) {
  call.timed = address != 0;
  if (!call.timed) return;
  const auto time = memory.ReadValue<Timespec>(address);
  if (!time || time->seconds < 0 || time->nanoseconds < 0 || time->nanoseconds >= kNsPerSecond) {
    return;
  }
  std::int64_t total = 0;
  if (__builtin_mul_overflow(time->seconds, kNsPerSecond, &total) ||
      __builtin_add_overflow(total, time->nanoseconds, &total)) {
    return;
  }
  call.timeout_ns = total;
}

bool SetWord(std::uint64_t address, FutexCall& call) {
  call.word = address;
  return address != 0 && address % 4 == 0;
}

std::optional<FutexCall> ParseFutex(const BlockedThread& thread, Memory& memory) {
  const auto& arguments = thread.arguments;
  FutexCall call;
  if (!SetWord(arguments[0], call)) return std::nullopt;
  // The kernel takes `int op` and `u32 val`: the upper halves of the registers mean nothing.
  const std::uint64_t op = arguments[1] & 0xffffffff;
  call.expected = static_cast<std::uint32_t>(arguments[2]);
  call.private_futex = (op & kPrivateFlag) != 0;
  call.realtime = (op & kRealtimeFlag) != 0;
  call.absolute = true;
  switch (op & ~(kPrivateFlag | kRealtimeFlag)) {
    case kOpWait:
      call.op = FutexOp::kWait;
      call.absolute = false;
      break;
    case kOpWaitBitset:
      call.op = FutexOp::kWaitBitset;
      break;
    case kOpLockPi:
      call.op = FutexOp::kLockPi;
      call.realtime = true;  // FUTEX_LOCK_PI knows no other clock
      break;
    case kOpLockPi2:
      call.op = FutexOp::kLockPi;
      break;
    case kOpWaitRequeuePi:
      call.op = FutexOp::kWaitRequeuePi;
      break;
    default:
      return std::nullopt;
  }
  ReadTimeout(arguments[3], memory, call);
  return call;
}

// Poll and the sleeps restart through the same system call, with other arguments in the same
// registers. The kernel restarts only timed waits of these two kinds (futex_wait() in
// kernel/futex/waitwake.c), so everything that such a call must have is asked for.
std::optional<FutexCall> ParseRestarted(const BlockedThread& thread, Memory& memory) {
  auto call = ParseFutex(thread, memory);
  if (!call || !call->timeout_ns) return std::nullopt;
  if (call->op != FutexOp::kWait && call->op != FutexOp::kWaitBitset) return std::nullopt;
  if (call->op == FutexOp::kWaitBitset && (thread.arguments[5] & 0xffffffff) == 0) {
    return std::nullopt;
  }
  if (memory.ReadValue<std::uint32_t>(call->word) != call->expected) return std::nullopt;
  call->restarted = true;
  return call;
}

std::optional<FutexCall> ParseFutexWait(const BlockedThread& thread, Memory& memory) {
  const auto& arguments = thread.arguments;
  FutexCall call;
  call.op = FutexOp::kFutex2;
  if (!SetWord(arguments[0], call)) return std::nullopt;
  if ((arguments[3] & kFutex2SizeMask) != kFutex2SizeU32) return std::nullopt;
  call.expected = static_cast<std::uint32_t>(arguments[1]);
  call.private_futex = (arguments[3] & kFutex2Private) != 0;
  call.absolute = true;
  call.realtime = (arguments[5] & 0xffffffff) == kClockRealtime;
  ReadTimeout(arguments[4], memory, call);
  return call;
}

std::optional<FutexCall> ParseFutexWaitv(const BlockedThread& thread, Memory& memory) {
  const auto& arguments = thread.arguments;
  const std::uint64_t words = arguments[1] & 0xffffffff;
  if (words == 0 || words > kFutexWaitvMax) return std::nullopt;
  const auto first = memory.ReadValue<FutexWaitv>(arguments[0]);
  FutexCall call;
  call.op = FutexOp::kFutex2;
  if (!first || !SetWord(first->address, call)) return std::nullopt;
  call.words = static_cast<std::uint32_t>(words);
  call.expected = static_cast<std::uint32_t>(first->value);
  call.private_futex = (first->flags & kFutex2Private) != 0;
  call.absolute = true;
  call.realtime = (arguments[4] & 0xffffffff) == kClockRealtime;
  ReadTimeout(arguments[3], memory, call);
  return call;
}

}  // namespace

std::optional<FutexCall> ParseFutexCall(const BlockedThread& thread, Memory& memory) {
  switch (thread.syscall) {
    case kSysFutex:
      return ParseFutex(thread, memory);
    case kSysRestart:
      return ParseRestarted(thread, memory);
    case kSysFutexWait:
      return ParseFutexWait(thread, memory);
    case kSysFutexWaitv:
      return ParseFutexWaitv(thread, memory);
    default:
      return std::nullopt;
  }
}

}  // namespace ct
