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

}  // namespace

bool HasRestlessRing(const RawLook& look, const SweepIndex& first, const SweepIndex& second) {
  std::unordered_map<pid_t, pid_t> holder_of;  // of what a restless thread waits for
  for (const auto& [pid, process] : look.readings) {
    for (const auto& [tid, reading] : process.threads) {
      const TaskSample* before = first.ByTid(tid);
      const TaskSample* now = second.ByTid(tid);
      if (before == nullptr || now == nullptr || SleptThrough(*before, *now)) continue;
      const TaskSample* holder = HolderFor(second, tid, reading);
      if (holder != nullptr) holder_of[tid] = holder->id.tid;
    }
  }
  // Each thread has one holder at most: walk, and remember which walk came by.
  std::unordered_map<pid_t, pid_t> visited;
  for (const auto& [start, unused] : holder_of) {
    for (pid_t at = start; holder_of.contains(at); at = holder_of.at(at)) {
      const auto [mark, is_new] = visited.try_emplace(at, start);
      if (is_new) continue;
      if (mark->second == start) return true;
      break;
    }
  }
  return false;
}

bool HasMissedHolder(const RawLook& look, const SweepIndex& first, const SweepIndex& second) {
  for (const auto& [pid, process] : look.readings) {
    for (const auto& [tid, reading] : process.threads) {
      const TaskSample* holder = HolderFor(second, tid, reading);
      if (holder == nullptr || !InFutexWait(*holder)) continue;
      const TaskSample* before = first.ByTid(holder->id.tid);
      if (before != nullptr && SleptThrough(*before, *holder)) continue;
      const ThreadReading* known = ReadingOf(look, *holder);
      if (known == nullptr || !known->read.wait) return true;
    }
  }
  return false;
}

}  // namespace ct
