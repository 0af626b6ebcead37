// The futex call that a thread is blocked in: system call number and arguments, decoded.
// Numbers and flags: Linux uapi/linux/futex.h and x86-64's syscall_64.tbl.
#pragma once

#include <cstdint>
#include <optional>

#include "locks/decode.h"

namespace ct {

enum class FutexOp : std::uint8_t {
  kWait,
  kWaitBitset,
  kLockPi,         // FUTEX_LOCK_PI and FUTEX_LOCK_PI2
  kWaitRequeuePi,  // a condition variable of a PI mutex (glibc before 2.25)
  kFutex2,         // futex_wait, futex_waitv: no C library uses them yet
};

struct FutexCall {
  FutexOp op = FutexOp::kWait;
  std::uint64_t word = 0;      // address; 4-aligned, as the kernel demands
  std::uint32_t expected = 0;  // the kernel slept because *word was this; LOCK_PI has none
  bool private_futex = false;
  bool realtime = false;  // the clock of an absolute timeout is CLOCK_REALTIME, else MONOTONIC
  bool timed = false;     // a timeout was passed, even if it could not be read
  bool absolute = false;
  std::optional<std::int64_t> timeout_ns;  // unset: none, unreadable, or no valid timespec
  std::uint32_t words = 1;                 // futex_waitv waits for any of several
  // Seen as restart_syscall: a signal or a stop interrupted the call, and the kernel goes on with
  // it. The registers still hold the futex arguments, but nothing says which call it was: only
  // frames in a futex function do.
  bool restarted = false;

  [[nodiscard]] bool HasExpected() const { return op != FutexOp::kLockPi; }
};

// nullopt: the thread is in no futex wait. Reads at most 40 bytes.
std::optional<FutexCall> ParseFutexCall(const BlockedThread& thread, Memory& memory);

}  // namespace ct
