#include "observe/given_locks.h"

#include <algorithm>

namespace ct {
namespace {

// Two give-aways may be chance.
constexpr std::uint64_t kMinHolds = 3;

std::uint64_t LetGo(const LockCount& count) {
  return count.waits.waits - std::min(count.waits.timeouts, count.waits.waits);
}

}  // namespace

bool GoesRound(const LockCount& count) {
  // Nobody is known to have given it to the first.
  return count.holds.holds >= kMinHolds && (count.holds.holds + 1) * 10 >= LetGo(count) * 9;
}

bool IsLetGoByWaiters(const LockCount& count) {
  return count.by_waiters >= kMinHolds && count.by_waiters * 2 >= LetGo(count);
}

bool MayBeASignal(ResourceKind kind, Implementation implementation) {
  return kind == ResourceKind::kSemaphore ||
         (kind == ResourceKind::kMutex && implementation == Implementation::kCpython);
}

GivenLocks FindGivenLocks(std::span<const LockCount> counts) {
  GivenLocks given;
  for (const LockCount& count : counts) {
    if (count.given_to == 0) continue;
    GivenLock& lock = given[{count.key.space, count.key.address}];
    // Processes that share their memory: whoever came last.
    if (count.given_at < lock.since) continue;
    lock = {count.given_to, count.given_at, GoesRound(count)};
  }
  return given;
}

}  // namespace ct
