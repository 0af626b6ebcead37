// HoldWatch's part in a look: who has and who asks for what now, confirmed and put into words.
#include <algorithm>
#include <cstring>

#include "observe/call_places.h"
#include "observe/hold_rows.h"
#include "observe/hold_watch.h"

namespace ct {
namespace {

constexpr std::size_t kMaxRemembered = 1 << 16;
// Of one look: who has more to read sees the rest in the next.
constexpr std::size_t kMaxPlaces = 256;
// Whose stacks are read in every look because they have something for long.
constexpr std::size_t kMaxLongHolders = 64;

// What an observation says of waits, by what the tracer has: threads and addresses.
class WaitedFor {
 public:
  WaitedFor(const Observation& observation, History& history) : history_(history) {
    for (const Wait& wait : observation.waits) {
      const Resource& resource = observation.resources[static_cast<std::size_t>(wait.resource)];
      const Actor& actor = observation.actors[static_cast<std::size_t>(wait.actor)];
      if (actor.kind != ActorKind::kThread) continue;
      by_thread_[actor.id.tid] = resource.id;
      resources_.insert(resource.id);
    }
  }
  [[nodiscard]] bool Any(std::uint64_t space, std::uint64_t address) const {
    return resources_.contains(IdOf(space, address)) || HasShared();
  }
  [[nodiscard]] bool By(pid_t tid, std::uint64_t space, std::uint64_t address) const {
    const auto found = by_thread_.find(tid);
    return found != by_thread_.end() && found->second == IdOf(space, address);
  }

 private:
  [[nodiscard]] ResourceId IdOf(std::uint64_t space, std::uint64_t address) const {
    ResourceId id;
    id.space = history_.Space(space);
    id.address = address;
    return id;
  }
  // Shared locks are known by their file: whoever has any lock may have that one.
  [[nodiscard]] bool HasShared() const {
    return std::any_of(resources_.begin(), resources_.end(),
                       [](const ResourceId& id) { return id.shared; });
  }
  History& history_;
  std::map<pid_t, ResourceId> by_thread_;
  std::set<ResourceId> resources_;
};

}  // namespace

SeenHolders HoldWatch::Holders() {
  SeenHolders holders;
  const auto threads = tracer_.Threads();
  if (!threads) return holders;  // AddTo will say so
  const TimeNs now = MonotonicNow();
  for (const ThreadHolds& thread : *threads) {
    if (!processes_.contains(thread.pid)) continue;
    for (const HeldObject& object : thread.held) {
      // Also what it asks for: nothing may have happened on it since it got that.
      holders.of.emplace(std::pair(thread.space, object.address), thread.tid);
      const bool has_long = !object.asking && now - object.since >= options_.long_hold;
      if (has_long && holders.for_long.size() < kMaxLongHolders) {
        holders.for_long.push_back(thread.tid);
      }
    }
  }
  return holders;
}

Status HoldWatch::AddTo(Observation& observation) {
  const auto threads = tracer_.Threads();
  auto counted = tracer_.Counts();
  if (!threads) return Fail(threads.error());
  if (!counted) return Fail(counted.error());
  const HoldCounts counts(std::move(*counted));
  const TimeNs now = MonotonicNow();
  const WaitedFor waited(observation, history_);
  std::vector<HeldNow> asked;
  std::vector<HeldNow> held;
  for (const ThreadHolds& thread : *threads) {
    if (!processes_.contains(thread.pid)) continue;
    for (const HeldObject& object : thread.held) {
      const HoldProbe& probe = tracer_.Probe(object.probe);
      HeldNow row{thread.tid, thread.pid, thread.ns_tid, thread.space, object, object.since, {}};
      const bool waits = waited.By(thread.tid, thread.space, object.address);
      if (object.asking && (probe.kind == ResourceKind::kPool ||
                            (waits && probe.kind == ResourceKind::kSemaphore))) {
        asked.push_back(std::move(row));
        continue;
      }
      // Nothing has happened on its thread since it asked: the lock's memory says whether it has
      // it; where that says nothing (a reader's), who does not wait in a call that always succeeds.
      const bool may_have = probe.success == SuccessRule::kReturns || probe.owner.has_owner;
      if (object.asking && (waits || !may_have)) continue;
      const TimeNs begin = object.asking ? object.asked : object.since;
      const bool old = now - begin >= options_.long_hold;
      if (old || waited.Any(thread.space, object.address) || probe.kind == ResourceKind::kPool) {
        held.push_back(std::move(row));
      }
    }
  }
  Confirm(held, counts, now);
  ForgetPlaces(held, asked);
  FindPlaces(held);
  FindPlaces(asked);
  ReadObjects(held, asked, counts);
  HoldsInput input{.since = begin_,
                   .now = now,
                   .long_hold = options_.long_hold,
                   .held = held,
                   .asked = asked,
                   .counts = counts,
                   .book = book_,
                   .stacks = stacks_,
                   .objects = objects_,
                   .probe = [this](ProbeId id) -> const HoldProbe& { return tracer_.Probe(id); }};
  AddHolds(input, history_, observation);
  return AddLosses(observation);
}

// Whom the lock names; a lock that names nobody is had by who was seen to acquire it.
void HoldWatch::Confirm(std::vector<HeldNow>& held, const HoldCounts& counts, TimeNs now) {
  std::map<std::pair<pid_t, std::uint64_t>, pid_t> owners;
  std::map<pid_t, ProcessToRead> requests;
  for (const HeldNow& row : held) {
    const OwnerWord& word = tracer_.Probe(row.object.probe).owner;
    ProcessToRead& request = requests[row.pid];
    request.pid = row.pid;
    if (word.has_owner && request.memory.size() < kMaxFunctions) {
      request.memory.push_back({row.object.address + static_cast<std::uint64_t>(word.owner_at), 4});
    }
  }
  for (const auto& [pid, request] : requests) {
    if (request.memory.empty()) continue;
    for (const MemoryCopy& copy : reader_.Read(request).memory) {
      pid_t owner = 0;
      if (copy.bytes.size() != sizeof(owner)) continue;
      std::memcpy(&owner, copy.bytes.data(), sizeof(owner));
      owners[{pid, copy.address}] = owner;
    }
  }
  std::set<HeldId> current;
  std::erase_if(held, [&](HeldNow& row) {
    const HoldProbe& probe = tracer_.Probe(row.object.probe);
    const bool by_owner = probe.success == SuccessRule::kOwnerWord ||
                          (row.object.asking && probe.success != SuccessRule::kReturns);
    if (by_owner) {
      const auto owner = owners.find(
          {row.pid, row.object.address + static_cast<std::uint64_t>(probe.owner.owner_at)});
      if (owner == owners.end() || owner->second != row.ns_tid) return true;
    }
    const HoldCount* count =
        counts.Find({row.space, row.object.address, row.pid, row.object.family});
    // Of a semaphore that was there before.
    if (count != nullptr && row.object.asked < count->made) return true;
    const HeldId id{row.tid, row.object.address, row.object.asked};
    current.insert(id);
    if (!row.object.asking) return false;
    // As the kernel side would conclude with the next thing that happens on the thread.
    if (!row.object.again && count != nullptr && count->last_release > row.object.asked) {
      row.since = count->last_release;
    } else if (!row.object.contended && !row.object.again) {
      row.since = row.object.asked;
    } else {
      row.since = seen_since_.emplace(id, now).first->second;
    }
    return false;
  });
  std::erase_if(seen_since_, [&](const auto& entry) { return !current.contains(entry.first); });
}

void HoldWatch::ForgetPlaces(const std::vector<HeldNow>& held, const std::vector<HeldNow>& asked) {
  std::set<HeldId> current;
  for (const auto* rows : {&held, &asked}) {
    for (const HeldNow& row : *rows) {
      current.emplace(row.tid, row.object.address, row.object.asked);
    }
  }
  std::erase_if(places_, [&](const auto& entry) { return !current.contains(entry.first); });
}

// Where what is held was acquired, or is asked for, as far as its thread's stack still says.
void HoldWatch::FindPlaces(std::vector<HeldNow>& held) {
  std::map<pid_t, std::vector<HeldNow*>> wanted;
  std::size_t count = 0;
  for (HeldNow& row : held) {
    const HeldId id{row.tid, row.object.address, row.object.asked};
    const auto known = places_.find(id);
    if (known != places_.end()) {
      row.acquired_at = known->second;
    } else if (row.object.place && count < kMaxPlaces) {
      ++count;
      wanted[row.pid].push_back(&row);
    }
  }
  for (const auto& [pid, rows] : wanted) {
    std::vector<PlaceToRead> to_read;
    for (const HeldNow* row : rows) {
      to_read.push_back({row->tid, row->ns_tid, &*row->object.place, nullptr, true});
    }
    const auto ids = ReadPlaces(reader_, pid, to_read, stacks_);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      HeldNow& row = *rows[i];
      row.acquired_at = ids[i];
      if (ids[i]) {
        places_.emplace(HeldId{row.tid, row.object.address, row.object.asked}, ids[i]);
      }
    }
  }
}

// What the objects are called and where they are: asked once.
void HoldWatch::ReadObjects(const std::vector<HeldNow>& held, const std::vector<HeldNow>& asked,
                            const HoldCounts& counts) {
  std::map<pid_t, std::set<std::uint64_t>> wanted;
  const auto want = [&](pid_t pid, std::uint64_t address) {
    if (!objects_.contains({pid, address}) && objects_.size() < kMaxRemembered) {
      wanted[pid].insert(address);
    }
  };
  for (const HeldNow& row : held) want(row.pid, row.object.address);
  for (const HeldNow& row : asked) want(row.pid, row.object.address);
  for (const auto& [key, order] : book_.orders()) {
    want(key.pid, key.held);
    want(key.pid, key.wanted);
  }
  for (const HoldBook::LongOne& hold : book_.long_holds()) want(hold.lock.pid, hold.lock.address);
  for (const HoldCount* count : counts.LongestHeld()) want(count->key.pid, count->key.address);
  for (const auto& [pid, addresses] : wanted) {
    std::vector<std::uint64_t> all(addresses.begin(), addresses.end());
    for (std::size_t begin = 0; begin < all.size(); begin += kMaxFunctions) {
      ProcessToRead request;
      request.pid = pid;
      const auto end = std::min(all.size(), begin + kMaxFunctions);
      request.objects.assign(all.begin() + static_cast<std::ptrdiff_t>(begin),
                             all.begin() + static_cast<std::ptrdiff_t>(end));
      for (ObjectPlace& place : reader_.Read(request).objects) {
        objects_.emplace(std::pair(pid, place.address), std::move(place));
      }
    }
  }
}

Status HoldWatch::AddLosses(Observation& observation) {
  for (const auto& [pid, process] : processes_) {
    for (const std::string& line : process.given_up) {
      observation.degradations.push_back(line);
      observation.losses.push_back(
          {"acquires not followed: over the budget", 1, true, "process " + std::to_string(pid)});
    }
  }
  const auto counters = tracer_.Counters();
  if (!counters) return Fail(counters.error());
  const auto lose = [&](std::uint64_t count, const char* reason) {
    if (count > 0) observation.losses.push_back({reason, count, true, ""});
  };
  lose(counters->lost_thread, "acquires not followed: too many threads");
  lose(counters->lost_held, "acquires not followed: a thread has too many locks at a time");
  lose(counters->lost_lock, "holds not counted: too many locks");
  lose(counters->lost_edge + book_.lost_orders(), "orders of locks not remembered: too many");
  lose(counters->lost_unit, "units of pools not remembered: too many");
  lose(counters->missed, "acquires or releases that the kernel left a program out for");
  lose(counters->malformed, "records of holds not understood");
  if (counters->lost_ring > 0) {
    // An order comes again when it is taken again.
    observation.losses.push_back(
        {"orders and long holds that found the ring buffer full", counters->lost_ring, false, ""});
  }
  if (book_.lost_long_holds() > 0) {
    observation.losses.push_back({"long holds not kept", book_.lost_long_holds(), false, ""});
  }
  return {};
}

}  // namespace ct
