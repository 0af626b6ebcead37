// Who seems to have a lock that keeps no owner, by who was let go last: tier 1's part in the graph.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>

#include "base/clock.h"
#include "kernel/waits.h"
#include "model/resource.h"

namespace ct {

// The last wait of a futex word that somebody else ended.
struct GivenLock {
  pid_t tid = 0;     // whose wait that was
  TimeNs since = 0;  // when it ended
  // Nearly always the one who had been given it last let the next one go: it is used as a lock
  // with one holder, not to signal, and not by several at a time.
  bool goes_round = false;
};

// By memory space (the kernel's identity) and futex word.
using GivenLocks = std::map<std::pair<std::uint64_t, std::uint64_t>, GivenLock>;

bool GoesRound(const LockCount& count);
// Most of those who let somebody go had waited for it before, however many may have it at a time: a
// lock or a pool, and no signal.
bool IsLetGoByWaiters(const LockCount& count);

// True for what may be used as a lock or as a signal, without its memory saying which: a semaphore,
// a lock of CPython's.
bool MayBeASignal(ResourceKind kind, Implementation implementation);

GivenLocks FindGivenLocks(std::span<const LockCount> counts);

}  // namespace ct
