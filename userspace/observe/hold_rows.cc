#include "observe/hold_rows.h"

#include <algorithm>
#include <set>
#include <string>

#include <fmt/format.h>

namespace ct {
namespace {

// A few releases by others at the start are of those who acquired before the tracer came; a few by
// the holders themselves say nothing yet about what a semaphore is for.
constexpr std::uint64_t kFewUses = 4;

bool IsCounted(ResourceKind kind) {
  return kind == ResourceKind::kPool || kind == ResourceKind::kSemaphore;
}

std::string_view WithoutParameters(std::string_view function) {
  return function.substr(0, function.find('('));
}

// Up to the pool's acquire a stack is the pool's own: who asks it comes after.
void MarkPoolFrames(const std::string& acquire, Stack& stack) {
  const auto is_acquire = [&](const Frame& frame) {
    return !frame.function.empty() &&
           WithoutParameters(frame.function) == WithoutParameters(acquire);
  };
  const auto found = std::find_if(stack.frames.begin(), stack.frames.end(), is_acquire);
  if (found == stack.frames.end()) return;
  for (auto frame = stack.frames.begin(); frame <= found; ++frame) frame->of_pool = true;
}

class HoldRows {
 public:
  HoldRows(const HoldsInput& input, History& history, Observation& observation)
      : input_(input), history_(history), out_(observation), stacks_(input.stacks, observation) {
    for (std::size_t i = 0; i < out_.processes.size(); ++i) {
      processes_.emplace(out_.processes[i].id.tid, static_cast<ProcessIndex>(i));
    }
    for (std::size_t i = 0; i < out_.actors.size(); ++i) {
      if (out_.actors[i].kind == ActorKind::kThread) {
        actors_.emplace(out_.actors[i].id.tid, static_cast<ActorIndex>(i));
      }
    }
    for (std::size_t i = 0; i < out_.resources.size(); ++i) {
      resources_.emplace(out_.resources[i].id, static_cast<ResourceIndex>(i));
    }
  }

  void Build() {
    out_.hold_activity.since = input_.since;
    out_.hold_activity.long_hold = input_.long_hold;
    AddPoolWaits();
    for (const Wait& wait : out_.waits) waited_.emplace(wait.resource);
    AddHeld();
    SettleReaders();
    SettleCounted();
    AddLongHolds();
    AddTotals();
    // Last: a guard is known by its address only, and is what the others say.
    AddOrders();
  }

 private:
  // --- what is where --------------------------------------------------------------------------

  ResourceId IdOf(pid_t pid, std::uint64_t space, std::uint64_t address, ProbeId probe) {
    ResourceId id;
    const auto place = input_.objects.find({pid, address});
    if (place != input_.objects.end() && place->second.inode != 0) {
      id.shared = true;
      id.device = place->second.device;
      id.inode = place->second.inode;
      id.offset = place->second.offset;
      return id;
    }
    id.space = history_.Space(space);
    id.address = address;
    // A pool begins with its mutex, at the same address, and is another thing.
    id.offset = input_.probe(probe).kind == ResourceKind::kPool ? 1 : 0;
    return id;
  }

  ResourceIndex ResourceOf(pid_t pid, std::uint64_t space, std::uint64_t address, ProbeId probe) {
    const ResourceId id = IdOf(pid, space, address, probe);
    const auto [entry, is_new] =
        resources_.try_emplace(id, static_cast<ResourceIndex>(out_.resources.size()));
    if (is_new) {
      Resource resource;
      resource.id = id;
      const HoldProbe& what = input_.probe(probe);
      resource.kind = what.kind;
      resource.implementation = what.implementation;
      resource.type = what.type;
      const auto place = input_.objects.find({pid, address});
      if (place != input_.objects.end()) {
        resource.symbol = place->second.symbol;
        resource.where = place->second.where;
      }
      out_.resources.push_back(std::move(resource));
    }
    return entry->second;
  }

  std::optional<ProcessIndex> ProcessOf(pid_t pid) const {
    const auto found = processes_.find(pid);
    return found == processes_.end() ? std::nullopt : std::optional(found->second);
  }
  std::optional<ActorIndex> ActorOf(pid_t tid) const {
    const auto found = actors_.find(tid);
    return found == actors_.end() ? std::nullopt : std::optional(found->second);
  }
  const HoldCount* CountOf(const HeldNow& held) const {
    return input_.counts.Find({held.space, held.object.address, held.pid, held.object.family});
  }

  // --- waits and holds ------------------------------------------------------------------------

  // Inside the pool's acquire a thread sleeps on a condition, or polls: what it waits for is a
  // unit.
  void AddPoolWaits() {
    std::map<ActorIndex, std::size_t> wait_of;
    for (std::size_t i = 0; i < out_.waits.size(); ++i) wait_of.emplace(out_.waits[i].actor, i);
    for (const HeldNow& asked : input_.asked) {
      const HoldProbe& probe = input_.probe(asked.object.probe);
      const auto actor = ActorOf(asked.tid);
      if (!actor) continue;
      Actor& thread = out_.actors[static_cast<std::size_t>(*actor)];
      if (probe.kind != ResourceKind::kPool) {
        // Its wait is known already; the stack that was read for it has no lines.
        const StackIndex at = stacks_.Row(asked.acquired_at);
        if (at != kNoIndex) thread.user_stack = at;
        continue;
      }
      if (!thread.still && thread.state != RunState::kSleeping) continue;
      Wait wait;
      const auto inner = wait_of.find(*actor);
      if (inner != wait_of.end()) {
        // A lock of the pool's own, that somebody else has: that is what it waits for.
        if (out_.waits[inner->second].purpose != WaitPurpose::kEvent) continue;
        wait = out_.waits[inner->second];
      }
      wait.actor = *actor;
      wait.resource = ResourceOf(asked.pid, asked.space, asked.object.address, asked.object.probe);
      wait.purpose = WaitPurpose::kAcquire;
      wait.evidence = Evidence::kCertain;
      wait.evidence_note = "inside " + probe.site.function + ", as a probe saw it begin";
      wait.continuity = thread.still ? Continuity::kStill : Continuity::kContinued;
      // Where it asks is what matters, not where inside the pool it sleeps.
      const StackIndex asks_at = AcquiredAt(asked.acquired_at, probe);
      if (asks_at != kNoIndex) thread.user_stack = asks_at;
      wait.since = asked.object.asked;
      wait.not_before = asked.object.asked;
      if (inner == wait_of.end()) {
        // What it sleeps in has a timeout of its own; whether the acquire has one is not known.
        wait.timed = thread.syscall.deadline.has_value();
        wait_of.emplace(*actor, out_.waits.size());
        out_.waits.push_back(std::move(wait));
      } else {
        out_.waits[inner->second] = std::move(wait);
      }
    }
  }

  Hold* FindHold(ActorIndex actor, ResourceIndex resource) {
    for (Hold& hold : out_.holds) {
      if (hold.actor == actor && hold.resource == resource) return &hold;
    }
    return nullptr;
  }
  bool IsHeldByAnother(ActorIndex actor, ResourceIndex resource) const {
    return std::any_of(out_.holds.begin(), out_.holds.end(), [&](const Hold& hold) {
      return hold.resource == resource && hold.actor != actor &&
             hold.mode == AccessMode::kExclusive;
    });
  }

  // A hold that nobody waits for is of no interest.
  void AddHeld() {
    for (const HeldNow& held : input_.held) {
      const HoldProbe& probe = input_.probe(held.object.probe);
      const auto actor = ActorOf(held.tid);
      if (!actor) continue;
      const auto known =
          resources_.find(IdOf(held.pid, held.space, held.object.address, held.object.probe));
      if (known == resources_.end() || !waited_.contains(known->second)) continue;
      const HoldCount* count = CountOf(held);
      if (IsCounted(probe.kind) && count != nullptr && IsSignal(*count)) continue;
      const ResourceIndex resource = known->second;
      if (!IsCounted(probe.kind)) {
        if (Hold* hold = FindHold(*actor, resource)) {
          Tell(held, *hold);
          continue;
        }
        // What the lock's own memory says is of this moment.
        const bool other = IsHeldByAnother(*actor, resource);
        if (other || out_.resources[static_cast<std::size_t>(resource)].changed_hands) continue;
      }
      Hold hold;
      hold.actor = *actor;
      hold.resource = resource;
      hold.mode = probe.mode;
      hold.evidence = Evidence::kCertain;
      hold.evidence_note = "its acquire was seen";
      Tell(held, hold);
      out_.holds.push_back(std::move(hold));
      if (!IsCounted(probe.kind) && probe.mode == AccessMode::kExclusive) {
        out_.resources[static_cast<std::size_t>(resource)].holders_known = true;
      }
    }
  }

  // A writer needs all of its readers to leave: whether these are all, the lock's memory says.
  void SettleReaders() {
    std::map<ResourceIndex, std::uint32_t> seen;
    for (const HeldNow& held : input_.held) {
      if (input_.probe(held.object.probe).mode != AccessMode::kShared) continue;
      const auto known =
          resources_.find(IdOf(held.pid, held.space, held.object.address, held.object.probe));
      const auto actor = ActorOf(held.tid);
      if (known == resources_.end() || !actor || !FindHold(*actor, known->second)) continue;
      seen[known->second] += held.object.count;
    }
    for (const auto& [index, readers] : seen) {
      Resource& resource = out_.resources[static_cast<std::size_t>(index)];
      if (resource.kind != ResourceKind::kRwLock || resource.readers != readers) continue;
      resource.rule = ReleaseRule::kAllHolders;
      resource.holders_known = true;
    }
  }

  void Tell(const HeldNow& held, Hold& hold) {
    hold.since = held.since;
    hold.acquired_at = AcquiredAt(held.acquired_at, input_.probe(held.object.probe));
    NameOfPython(hold.resource, hold.acquired_at);
  }

  // By itself a semaphore's wait is one for an event: this one is held by those who acquire it.
  void WaitToAcquire(ResourceIndex resource) {
    for (Wait& wait : out_.waits) {
      if (wait.resource == resource && wait.purpose == WaitPurpose::kEvent) {
        wait.purpose = WaitPurpose::kAcquire;
      }
    }
  }

  // What Python code acquires is one of CPython's locks.
  void NameOfPython(ResourceIndex resource, StackIndex acquired_at) {
    if (acquired_at == kNoIndex) return;
    const Stack& stack = out_.stacks[static_cast<std::size_t>(acquired_at)];
    if (stack.frames.front().origin != FrameOrigin::kPython) return;
    out_.resources[static_cast<std::size_t>(resource)].type = "CPython lock";
  }

  StackIndex AcquiredAt(std::optional<StackBook::Id> id, const HoldProbe& probe) {
    const StackIndex row = stacks_.Row(id);
    if (row != kNoIndex && probe.kind == ResourceKind::kPool) {
      MarkPoolFrames(probe.site.function, out_.stacks[static_cast<std::size_t>(row)]);
    }
    return row;
  }

  TimeNs LastMoved(const HoldCount& count) const {
    TimeNs last = count.last_release;
    for (const HeldNow& held : input_.held) {
      if (held.space == count.key.space && held.object.address == count.key.address &&
          held.object.family == count.key.family) {
        last = std::max(last, held.since);
      }
    }
    return last;
  }

  // How many units there are, who has them, and whether that is all.
  void SettleCounted() {
    for (const HoldCount& count : input_.counts.all()) {
      const HoldProbe& probe = input_.probe(count.probe);
      if (!IsCounted(probe.kind)) continue;
      const auto found =
          resources_.find(IdOf(count.key.pid, count.key.space, count.key.address, count.probe));
      if (found == resources_.end()) continue;
      Resource& resource = out_.resources[static_cast<std::size_t>(found->second)];
      const auto holders = static_cast<std::uint32_t>(
          std::count_if(out_.holds.begin(), out_.holds.end(), [&](const Hold& hold) {
            return hold.resource == found->second && hold.actor != kNoIndex;
          }));
      if (IsSignal(count)) continue;
      if (holders > 0) WaitToAcquire(found->second);
      const auto in_use = static_cast<std::uint32_t>(
          std::max<std::int64_t>(std::clamp<std::int64_t>(count.in_use, 0, INT32_MAX), holders));
      resource.in_use = in_use;
      resource.high_water = static_cast<std::uint32_t>(
          std::clamp<std::int64_t>(std::max<std::int64_t>(count.high_water, in_use), 0, INT32_MAX));
      if (probe.capacity != 0) resource.capacity = probe.capacity;
      const bool exhausted =
          resource.capacity ? in_use >= *resource.capacity : in_use >= *resource.high_water;
      if (!resource.capacity && exhausted && in_use > 0) resource.idle = 0;
      const bool all = resource.capacity || input_.now - LastMoved(count) >= kQuietPool;
      resource.holders_known = exhausted && in_use > 0 && holders >= in_use && all;
      if (probe.kind == ResourceKind::kPool && count.exits > 0) {
        resource.lost_units.resize(std::min<std::size_t>(count.exits, in_use),
                                   {0, probe.type, "a thread that has ended"});
      }
      if (resource.capacity || probe.kind == ResourceKind::kPool) continue;
      // A semaphore may be a signal all the same, and nobody says how many units it has.
      for (Hold& hold : out_.holds) {
        if (hold.resource == found->second) {
          hold.evidence = std::min(hold.evidence, Evidence::kProbable);
        }
      }
    }
  }

  // --- what was seen over time ----------------------------------------------------------------

  void AddOrders() {
    for (const auto& [key, order] : input_.book.orders()) {
      const auto process = ProcessOf(key.pid);
      if (!process || order.sightings.empty()) continue;
      LockOrder row;
      row.process = *process;
      row.held = ResourceOf(key.pid, key.space, key.held, order.sightings.front().held_probe);
      row.wanted = ResourceOf(key.pid, key.space, key.wanted, order.sightings.front().wanted_probe);
      row.more_sightings = order.more;
      for (const HoldBook::Sighting& sighting : order.sightings) {
        LockOrderSighting to;
        to.thread = sighting.thread;
        to.thread_name = sighting.name;
        to.held_mode = input_.probe(sighting.held_probe).mode;
        to.wanted_mode = input_.probe(sighting.wanted_probe).mode;
        to.held_at = stacks_.Row(sighting.held_at);
        to.wanted_at = stacks_.Row(sighting.wanted_at);
        to.at = sighting.at;
        for (const std::uint64_t guard : sighting.guards) {
          to.guards.push_back(ResourceOf(key.pid, key.space, guard, sighting.held_probe));
        }
        std::sort(to.guards.begin(), to.guards.end());
        row.sightings.push_back(std::move(to));
      }
      out_.hold_activity.orders.push_back(std::move(row));
    }
  }

  // Who has a semaphore's unit for ever may have been sent a signal; CPython, whose locks are
  // semaphores, gives each thread one for its life, and lets who waits for a notification take one
  // twice. A lock is what those who take it have given back themselves before.
  bool IsUsedAsLock(const HoldKey& key) const {
    const HoldCount* count = input_.counts.Find(key);
    return count != nullptr && count->uses > kFewUses && !IsSignal(*count);
  }
  bool WaitsFor(ActorIndex actor, ResourceIndex resource) const {
    return std::any_of(out_.waits.begin(), out_.waits.end(), [&](const Wait& wait) {
      return wait.actor == actor && wait.resource == resource;
    });
  }

  void AddLongHolds() {
    auto& rows = out_.hold_activity.long_holds;
    for (const HeldNow& held : input_.held) {
      if (input_.now - held.since < input_.long_hold) continue;
      const auto process = ProcessOf(held.pid);
      const auto actor = ActorOf(held.tid);
      if (!process || !actor) continue;
      const HoldProbe& probe = input_.probe(held.object.probe);
      const bool semaphore = probe.kind == ResourceKind::kSemaphore;
      if (semaphore &&
          !IsUsedAsLock({held.space, held.object.address, held.pid, held.object.family})) {
        continue;
      }
      const Actor& thread = out_.actors[static_cast<std::size_t>(*actor)];
      LongHold row;
      row.resource = ResourceOf(held.pid, held.space, held.object.address, held.object.probe);
      if (semaphore && WaitsFor(*actor, row.resource)) continue;
      row.process = *process;
      row.thread = thread.id;
      row.thread_name = thread.name;
      row.mode = probe.mode;
      row.evidence = semaphore ? Evidence::kProbable : Evidence::kCertain;
      row.since = held.since;
      row.duration = input_.now - held.since;
      row.acquired_at = AcquiredAt(held.acquired_at, probe);
      NameOfPython(row.resource, row.acquired_at);
      rows.push_back(std::move(row));
    }
    for (const HoldBook::LongOne& hold : input_.book.long_holds()) {
      const auto process = ProcessOf(hold.lock.pid);
      const bool semaphore = input_.probe(hold.probe).kind == ResourceKind::kSemaphore;
      if (!process || (semaphore && !IsUsedAsLock(hold.lock))) continue;
      LongHold row;
      row.resource = ResourceOf(hold.lock.pid, hold.lock.space, hold.lock.address, hold.probe);
      row.process = *process;
      row.thread = hold.thread;
      // As whoever reads the rest knows it: Python's threads have names of their own.
      const auto actor = ActorOf(hold.thread.tid);
      const Actor* thread = actor ? &out_.actors[static_cast<std::size_t>(*actor)] : nullptr;
      row.thread_name = thread != nullptr && thread->id == hold.thread ? thread->name : hold.name;
      row.mode = input_.probe(hold.probe).mode;
      row.evidence = semaphore ? Evidence::kProbable : Evidence::kCertain;
      row.since = hold.since;
      row.duration = hold.ended - hold.since;
      row.ended = true;
      row.acquired_at = AcquiredAt(hold.acquired_at, input_.probe(hold.probe));
      NameOfPython(row.resource, row.acquired_at);
      row.released_at = stacks_.Row(hold.released_at);
      rows.push_back(std::move(row));
    }
  }

  void AddTotals() {
    for (const HoldCount* count : input_.counts.LongestHeld()) {
      const auto process = ProcessOf(count->key.pid);
      if (!process) continue;
      ResourceHolds row;
      row.resource = ResourceOf(count->key.pid, count->key.space, count->key.address, count->probe);
      row.process = *process;
      row.holds = count->holds;
      row.foreign_releases = count->foreign_releases;
      Resource& resource = out_.resources[static_cast<std::size_t>(row.resource)];
      if (IsCounted(resource.kind) && !resource.in_use && !IsSignal(*count)) {
        const auto units = [](std::int64_t value) {
          return static_cast<std::uint32_t>(std::clamp<std::int64_t>(value, 0, INT32_MAX));
        };
        resource.in_use = units(count->in_use);
        resource.high_water = units(count->high_water);
      }
      out_.hold_activity.resources.push_back(row);
    }
  }

  const HoldsInput& input_;
  History& history_;
  Observation& out_;
  StackRows stacks_;
  std::map<pid_t, ProcessIndex> processes_;
  std::map<pid_t, ActorIndex> actors_;
  std::map<ResourceId, ResourceIndex> resources_;
  std::set<ResourceIndex> waited_;
};

}  // namespace

HoldCounts::HoldCounts(std::deque<HoldCount> counts) : counts_(std::move(counts)) {
  std::sort(counts_.begin(), counts_.end(),
            [](const HoldCount& a, const HoldCount& b) { return a.key < b.key; });
}

const HoldCount* HoldCounts::Find(const HoldKey& key) const {
  const auto found =
      std::lower_bound(counts_.begin(), counts_.end(), key,
                       [](const HoldCount& count, const HoldKey& of) { return count.key < of; });
  return found != counts_.end() && found->key == key ? &*found : nullptr;
}

std::vector<const HoldCount*> HoldCounts::LongestHeld() const {
  std::vector<const HoldCount*> longest;
  for (const HoldCount& count : counts_) {
    if (count.holds.holds + count.foreign_releases > 0) longest.push_back(&count);
  }
  const auto shown =
      static_cast<std::ptrdiff_t>(std::min<std::size_t>(longest.size(), kMaxShownTotals));
  // Equals by their keys, so that the next look shows the same.
  std::partial_sort(longest.begin(), longest.begin() + shown, longest.end(),
                    [](const HoldCount* a, const HoldCount* b) {
                      return a->holds.total != b->holds.total ? a->holds.total > b->holds.total
                                                              : a->key < b->key;
                    });
  longest.resize(static_cast<std::size_t>(shown));
  return longest;
}

bool IsSignal(const HoldCount& count) {
  return count.foreign_releases > kFewUses &&
         count.foreign_releases * 10 > count.holds.holds + count.foreign_releases;
}

void AddHolds(const HoldsInput& input, History& history, Observation& observation) {
  HoldRows(input, history, observation).Build();
}

}  // namespace ct
