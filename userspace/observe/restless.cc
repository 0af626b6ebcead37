#include "observe/restless.h"

#include <unordered_map>

namespace ct {
namespace {

// Who holds what this thread was read to wait for; nullptr if that is nobody that is known.
const TaskSample* HolderFor(const SweepIndex& index, pid_t tid, const ThreadReading& reading) {
  const TaskSample* waiter = index.ByTid(tid);
  if (waiter == nullptr || !IsLockLike(reading)) return nullptr;
  return index.ByNamespaceTid(waiter->pid_ns, reading.read.wait->reading.owner_ns_tid);
}

// By waiter: the holder of what it waits for. A thread waits for one lock, which has one holder.
std::unordered_map<pid_t, pid_t> HoldersByWaiter(const RawLook& look, const SweepIndex& first,
                                                 const SweepIndex& second) {
  std::unordered_map<pid_t, pid_t> holder_of;
  for (const auto& [pid, process] : look.readings) {
    for (const auto& [tid, reading] : process.threads) {
      const TaskSample* holder = HolderFor(second, tid, reading);
      if (holder != nullptr && first.ByTid(tid) != nullptr) holder_of[tid] = holder->id.tid;
    }
  }
  return holder_of;
}

}  // namespace

std::vector<pid_t> FindRestlessRing(const RawLook& look, const SweepIndex& first,
                                    const SweepIndex& second) {
  const std::unordered_map<pid_t, pid_t> holder_of = HoldersByWaiter(look, first, second);
  const auto ring_of = [&](pid_t member) {
    std::vector<pid_t> ring;
    do {
      ring.push_back(member);
      member = holder_of.at(member);
    } while (member != ring.front());
    return ring;
  };
  const auto is_proven = [&](const std::vector<pid_t>& ring) {
    bool any_did_not_run = false;
    for (const pid_t member : ring) {
      const TaskSample& before = *first.ByTid(member);
      const TaskSample& now = *second.ByTid(member);
      if (!SleptThrough(before, now) && !SameFutexCall(before, now)) return false;
      any_did_not_run |= DidNotRun(before, now);
    }
    return any_did_not_run;
  };
  // Walk, and remember which walk came by.
  std::unordered_map<pid_t, pid_t> visited;
  for (const auto& [start, unused] : holder_of) {
    for (pid_t at = start; holder_of.contains(at); at = holder_of.at(at)) {
      const auto [mark, is_new] = visited.try_emplace(at, start);
      if (is_new) continue;
      if (mark->second != start) break;
      std::vector<pid_t> ring = ring_of(at);
      if (!is_proven(ring)) return ring;
      break;
    }
  }
  return {};
}

bool HasMissedHolder(const RawLook& look, const SweepIndex& first, const SweepIndex& second) {
  for (const auto& [pid, process] : look.readings) {
    for (const auto& [tid, reading] : process.threads) {
      const TaskSample* holder = HolderFor(second, tid, reading);
      if (holder == nullptr) continue;
      const TaskSample* before = first.ByTid(holder->id.tid);
      if (!InFutexWait(*holder)) {
        // Who waits for the GIL wakes up every 5 ms to ask for it (interval of _PyRuntime.ceval).
        if (before != nullptr && InFutexWait(*before)) return true;
        continue;
      }
      if (before != nullptr && SleptThrough(*before, *holder)) continue;
      const ThreadReading* known = ReadingOf(look, *holder);
      // A stack that moved while it was read may not show that it is the GIL.
      if (known == nullptr || !IsLockLike(*known)) return true;
      // What it was read to wait for, it waits for no more, or not yet.
      if (before == nullptr || !SameFutexCall(*before, *holder)) return true;
    }
  }
  return false;
}

}  // namespace ct
