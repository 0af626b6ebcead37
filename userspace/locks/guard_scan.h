// For a lock that keeps no owner: its holder's guard object (lock_guard, MutexGuard, shared_lock)
// holds the lock's address on the holder's stack. Whose stack refers to the lock?
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <sys/types.h>

#include "model/registers.h"
#include "target/memory.h"

namespace ct {

// What is scanned at most, from the top of the stack (the innermost frames) on, and how many
// threads: a deeper guard or a later thread is missed, never waited for.
inline constexpr std::uint64_t kGuardScanBytes = 64 << 10;
inline constexpr std::size_t kGuardScanThreads = 256;

struct ThreadStack {
  pid_t ns_tid = 0;
  std::uint64_t end = 0;  // past the stack's last byte; the live part begins at registers.sp()
  Registers registers;
};

struct ReferrerScan {
  std::vector<pid_t> referrers;   // in the order of `threads`
  std::uint32_t truncated = 0;    // threads whose live stack was longer than kGuardScanBytes
  std::uint32_t unreadable = 0;   // threads whose live stack could not be read to its end
  std::uint32_t not_scanned = 0;  // threads past kGuardScanThreads
};

// The threads in whose live stack or registers the exact address stands as an aligned word. A
// waiter refers to the lock that it waits for: pass only the others. One referrer is a probable
// holder if nothing was left unread; several are a set of candidates.
ReferrerScan FindReferrers(std::uint64_t address, std::span<const ThreadStack> threads,
                           Memory& memory);

}  // namespace ct
