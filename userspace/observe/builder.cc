#include "observe/builder.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "base/text.h"
#include "observe/lock_owner.h"
#include "observe/process_row.h"
#include "observe/syscall_name.h"
#include "observe/verdict.h"

namespace ct {

namespace {

bool IsLockLike(const WaitReading& reading) { return reading.purpose != WaitPurpose::kEvent; }

// A target may ask for any timeout; one beyond the end of time never comes.
std::optional<TimeNs> After(TimeNs time, DurationNs duration) {
  TimeNs sum = 0;
  if (__builtin_add_overflow(time, duration, &sum)) return std::nullopt;
  return sum;
}

class Builder {
 public:
  Builder(const RawLook& look, const BuildOptions& options, DurationNs realtime_offset,
          History& history)
      : look_(look),
        options_(options),
        history_(history),
        first_(look.first),
        second_(look.second),
        lock_owners_(look, first_, second_, options.long_wait) {
    out_.begin = look.first.begin;
    out_.end = look.second.end;
    out_.realtime_offset = realtime_offset;
    out_.losses = look.losses;
    out_.cost.threads_visited = look.second.visited;
  }

  Observation Build() {
    AddActors();
    AddWaits();
    AddSpaces();
    AddVerdicts(look_, first_, out_);
    CountCompat();
    history_.Sweep();
    return std::move(out_);
  }

 private:
  const ProcessReadings* ReadingsOf(const TaskSample& task) const {
    const auto found = look_.readings.find(task.leader.tid);
    return found == look_.readings.end() ? nullptr : &found->second;
  }
  const ThreadReading* ReadingOf(const TaskSample& task) const {
    const ProcessReadings* process = ReadingsOf(task);
    if (process == nullptr) return nullptr;
    const auto found = process->threads.find(task.id.tid);
    return found == process->threads.end() ? nullptr : &found->second;
  }

  // --- actors -------------------------------------------------------------------------------

  void AddActors() {
    std::unordered_set<std::uint64_t> lock_spaces;
    std::unordered_set<pid_t> named_owners;
    for (const TaskSample& task : look_.second.tasks) {
      const ThreadReading* reading = ReadingOf(task);
      if (reading == nullptr || !reading->read.wait) continue;
      const WaitReading& wait = reading->read.wait->reading;
      if (!IsLockLike(wait)) continue;
      lock_spaces.insert(task.space);
      if (const TaskSample* owner = second_.ByNamespaceTid(task.pid_ns, wait.owner_ns_tid)) {
        named_owners.insert(owner->id.tid);
      }
      if (wait.process_shared) AddMappingOwners(*reading->read.wait, named_owners);
    }
    for (const TaskSample& task : look_.second.tasks) {
      const bool selected = look_.selected.contains(task.leader.tid);
      if (task.state == RunState::kExited) continue;
      if ((selected && options_.all_threads) || lock_spaces.contains(task.space) ||
          named_owners.contains(task.id.tid)) {
        AddActor(task);
      }
    }
  }

  void AddMappingOwners(const LocatedWait& wait, std::unordered_set<pid_t>& named_owners) const {
    for (const TaskSample* task : second_.ByAnyNamespaceTid(wait.reading.owner_ns_tid)) {
      const ProcessReadings* readings = ReadingsOf(*task);
      if (readings == nullptr || !readings->mapped_files.contains({wait.device, wait.inode})) {
        continue;
      }
      named_owners.insert(task->id.tid);
    }
  }

  ProcessIndex ProcessOf(const TaskSample& task) {
    const auto [entry, is_new] =
        processes_.try_emplace(task.leader.tid, static_cast<ProcessIndex>(out_.processes.size()));
    if (!is_new) return entry->second;
    const ProcessReadings* readings = ReadingsOf(task);
    Process process = ProcessRow(
        {task.leader, task.ns_tgid, task.pid_ns, task.leader_comm}, history_.Space(task.space),
        readings != nullptr && readings->facts ? &*readings->facts : nullptr,
        look_.selected.contains(task.leader.tid));
    process.parent_pid = task.parent_pid;
    process.threads = task.group_threads;
    out_.processes.push_back(std::move(process));
    return entry->second;
  }

  void AddActor(const TaskSample& task) {
    const TaskSample* before = first_.ByTid(task.id.tid);
    const ThreadReading* reading = ReadingOf(task);
    Actor actor;
    actor.id = task.id;
    actor.name = CleanText(task.comm);
    actor.process = ProcessOf(task);
    actor.ns_tid = task.ns_tid;
    actor.state = task.state;
    actor.off_cpu_since = task.off_cpu_since;
    actor.switches = task.switches;
    actor.still = before != nullptr && SleptThrough(*before, task);
    if (task.syscall >= 0) {
      actor.syscall.number = static_cast<std::int32_t>(task.syscall);
      actor.syscall.name = SyscallName(task.syscall);
    }
    if (const ProcessReadings* readings = ReadingsOf(task); readings && readings->facts) {
      actor.signal_may_interrupt = readings->facts_are_old || readings->facts->catches_signals;
    } else {
      actor.signal_may_interrupt = true;  // not known: never claim that nothing could
    }
    if (reading != nullptr && actor.still) {
      actor.syscall.object = reading->read.syscall_object;
      if (reading->read.syscall_timeout) {
        actor.syscall.deadline = After(task.off_cpu_since, *reading->read.syscall_timeout);
      }
    }
    if (reading != nullptr && !reading->read.stack.frames.empty()) {
      actor.user_stack = AddStack(task, *reading, actor.still);
    }
    if (!task.kernel_stack.empty()) actor.kernel_stack = AddKernelStack(task);
    actors_.emplace(task.id.tid, static_cast<ActorIndex>(out_.actors.size()));
    out_.actors.push_back(std::move(actor));
  }

  StackIndex AddStack(const TaskSample& task, const ThreadReading& reading, bool still) {
    Stack stack = reading.read.stack;
    if (!still) stack.end = StackEnd::kMoved;
    const std::vector<Module>& modules = ReadingsOf(task)->modules;
    for (Frame& frame : stack.frames) {
      if (frame.module >= 0 && static_cast<std::size_t>(frame.module) < modules.size()) {
        frame.module = AddModule(modules[static_cast<std::size_t>(frame.module)]);
      } else {
        frame.module = kNoIndex;
      }
    }
    out_.stacks.push_back(std::move(stack));
    return static_cast<StackIndex>(out_.stacks.size() - 1);
  }

  StackIndex AddKernelStack(const TaskSample& task) {
    Stack stack;
    stack.end = StackEnd::kComplete;
    for (const std::uint64_t address : task.kernel_stack) {
      Frame frame;
      frame.origin = FrameOrigin::kKernel;
      if (options_.kernel_symbol) frame.function = CleanText(options_.kernel_symbol(address));
      stack.frames.push_back(std::move(frame));
    }
    out_.stacks.push_back(std::move(stack));
    return static_cast<StackIndex>(out_.stacks.size() - 1);
  }

  ModuleIndex AddModule(const Module& module) {
    const auto [entry, is_new] =
        modules_.try_emplace(module, static_cast<ModuleIndex>(out_.modules.size()));
    if (is_new) out_.modules.push_back(module);
    return entry->second;
  }

  // --- edges --------------------------------------------------------------------------------

  void AddWaits() {
    for (std::size_t i = 0; i < out_.actors.size(); ++i) {
      const TaskSample& task = *second_.ByTid(out_.actors[i].id.tid);
      const TaskSample* before = first_.ByTid(task.id.tid);
      const ThreadReading* reading = ReadingOf(task);
      if (before == nullptr || reading == nullptr || !reading->read.wait) continue;
      AddWait(static_cast<ActorIndex>(i), *before, task, *reading->read.wait);
    }
    keepers_.resize(out_.resources.size());
    for (std::size_t i = 0; i < out_.resources.size(); ++i) SettleHolders(i);
    for (Wait& wait : out_.waits) SetAge(wait);
  }

  void SetAge(Wait& wait) {
    const auto resource = static_cast<std::size_t>(wait.resource);
    const ThreadId& actor = out_.actors[static_cast<std::size_t>(wait.actor)].id;
    const TaskSample& before = *first_.ByTid(actor.tid);
    const TaskSample& task = *second_.ByTid(actor.tid);
    WaitSighting sighting{0, before.switches, task.switches, std::nullopt};
    if (!wait.timed) sighting.keeper = keepers_[resource];
    const bool same = wait.continuity == Continuity::kStill || sighting.keeper;
    sighting.since = same ? before.off_cpu_since : task.off_cpu_since;
    wait.since = history_.WaitSince(actor, out_.resources[resource].id, sighting);
  }

  void AddWait(ActorIndex index, const TaskSample& before, const TaskSample& task,
               const LocatedWait& located) {
    const WaitReading& reading = located.reading;
    Wait wait;
    if (SleptThrough(before, task)) {
      wait.continuity = Continuity::kStill;
    } else if (before.id == task.id && SameFutexCall(before, task) && IsLockLike(reading)) {
      wait.continuity = DidNotRun(before, task) ? Continuity::kDidNotRun : Continuity::kContinued;
    } else {
      return;  // it has moved on: what was read is no longer what it waits for
    }
    wait.actor = index;
    wait.resource = ResourceOf(task, located);
    wait.mode = reading.mode;
    wait.purpose = reading.purpose;
    wait.evidence = reading.evidence;
    wait.evidence_note = reading.evidence_note;
    wait.timed = reading.timed;
    wait.private_futex = reading.private_futex || reading.kind == ResourceKind::kThreadExit;
    wait.deadline = DeadlineOf(before, reading);
    readings_[static_cast<std::size_t>(wait.resource)].Note(task, wait.continuity, reading);
    NoteReferrers(task, reading.object, readings_[static_cast<std::size_t>(wait.resource)]);
    out_.waits.push_back(std::move(wait));
  }

  std::optional<TimeNs> DeadlineOf(const TaskSample& before, const WaitReading& reading) const {
    if (!reading.timed || !reading.timeout_ns) return std::nullopt;
    if (!reading.timeout_is_absolute) return After(before.off_cpu_since, *reading.timeout_ns);
    if (reading.timeout_is_realtime) return After(-out_.realtime_offset, *reading.timeout_ns);
    return *reading.timeout_ns;
  }

  ResourceId IdOf(const TaskSample& task, const LocatedWait& located) {
    if (located.reading.process_shared) return SharedId(located);
    ResourceId id;
    id.space = history_.Space(task.space);
    id.address = located.reading.object;
    return id;
  }

  ResourceIndex ResourceOf(const TaskSample& task, const LocatedWait& located) {
    const WaitReading& reading = located.reading;
    const ResourceId id = IdOf(task, located);
    const auto [entry, is_new] =
        resources_.try_emplace(id, static_cast<ResourceIndex>(out_.resources.size()));
    if (is_new) {
      Resource resource;
      resource.id = id;
      out_.resources.push_back(std::move(resource));
      readings_.emplace_back();
      described_.push_back(Evidence::kUnknown);
    }
    Resource& resource = out_.resources[static_cast<std::size_t>(entry->second)];
    Evidence& described = described_[static_cast<std::size_t>(entry->second)];
    if (is_new || reading.evidence > described) {
      described = reading.evidence;
      resource.kind = reading.kind;
      resource.implementation = reading.implementation;
      resource.type = reading.type;
      resource.capacity = reading.capacity;
      resource.symbol = located.symbol;
      resource.where = located.where;
    }
    // Of all who wait, those who were read last: an older count is of no use.
    if (reading.readers > 0 && reading.word_matches) resource.readers = reading.readers;
    return entry->second;
  }

  void NoteReferrers(const TaskSample& waiter, std::uint64_t lock, OwnerReadings& readings) const {
    const ProcessReadings& process = *ReadingsOf(waiter);
    const auto found = process.referrers.find(lock);
    if (found == process.referrers.end()) return;
    readings.referrers = &found->second;
    readings.referrers_of = &waiter;
  }

  void AddHold(std::size_t resource, const TaskSample& holder, Evidence evidence, std::string note,
               std::optional<TimeNs> since = std::nullopt) {
    const auto actor = actors_.find(holder.id.tid);
    if (actor == actors_.end()) return;
    Hold hold;
    hold.actor = actor->second;
    hold.resource = static_cast<ResourceIndex>(resource);
    hold.evidence = evidence;
    hold.evidence_note = std::move(note);
    hold.since = since;
    out_.holds.push_back(std::move(hold));
    out_.resources[resource].holders_known = true;
  }

  void SettleHolders(std::size_t index) {
    Resource& resource = out_.resources[index];
    LockOwner found = lock_owners_.Settle(resource, readings_[index]);
    resource.changed_hands = found.changed_hands;
    resource.abandoned = found.abandoned;
    resource.abandoned_by = found.abandoned_by;
    if (found.abandoned != Abandoned::kNo) resource.holders_known = true;
    if (found.owner != nullptr) {
      AddHold(index, *found.owner, found.evidence, std::move(found.note));
      keepers_[index] = found.keeper;
      return;
    }
    if (std::optional<ProbableHolder> given = lock_owners_.GivenTo(resource, readings_[index])) {
      AddHold(index, *given->task, Evidence::kProbable, std::move(given->note), given->since);
      return;
    }
    for (ProbableHolder& holder : lock_owners_.Referrers(readings_[index])) {
      AddHold(index, *holder.task, Evidence::kProbable, std::move(holder.note), holder.since);
    }
  }

  // --- spaces and losses --------------------------------------------------------------------

  void AddSpaces() {
    std::unordered_map<std::uint64_t, std::uint32_t> actors_of;
    for (const Actor& actor : out_.actors) {
      const std::uint64_t space = second_.ByTid(actor.id.tid)->space;
      if (space != 0) ++actors_of[space];
    }
    for (const auto& [kernel_identity, count] : actors_of) {
      const auto& tasks = second_.OfSpace(kernel_identity);
      Space space;
      space.id = history_.Space(kernel_identity);
      space.threads = static_cast<std::uint32_t>(tasks.size());
      // mm_users counts everyone who could touch this memory: more users than threads means an
      // io_uring worker, a vhost or somebody else who might wake a waiter.
      space.all_observed =
          !tasks.empty() && count == tasks.size() && tasks.front()->space_users == tasks.size();
      out_.spaces.push_back(space);
    }
    std::sort(out_.spaces.begin(), out_.spaces.end(),
              [](const Space& a, const Space& b) { return a.id < b.id; });
  }

  void CountCompat() {
    std::uint64_t count = 0;
    std::string example;
    for (const TaskSample& task : look_.second.tasks) {
      if (!task.compat || !look_.selected.contains(task.leader.tid)) continue;
      ++count;
      example =
          "process " + std::to_string(task.leader.tid) + " (" + CleanText(task.leader_comm) + ")";
    }
    if (count > 0) out_.losses.push_back({"32-bit threads are not read", count, true, example});
  }

  const RawLook& look_;
  const BuildOptions& options_;
  History& history_;
  SweepIndex first_;
  SweepIndex second_;
  LockOwners lock_owners_;
  Observation out_;
  std::unordered_map<pid_t, ActorIndex> actors_;  // by tid
  std::unordered_map<pid_t, ProcessIndex> processes_;
  std::map<ResourceId, ResourceIndex> resources_;
  std::vector<OwnerReadings> readings_;         // parallel to out_.resources
  std::vector<Evidence> described_;             // parallel: of the reading that describes it
  std::vector<std::optional<Keeper>> keepers_;  // parallel
  std::map<Module, ModuleIndex> modules_;
};

}  // namespace

Observation BuildObservation(const RawLook& look, const BuildOptions& options,
                             DurationNs realtime_offset, History& history) {
  return Builder(look, options, realtime_offset, history).Build();
}

}  // namespace ct
