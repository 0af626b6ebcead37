#include "tests/unit/observe/raw_look.h"

#include <algorithm>

#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include "model/names.h"

namespace ct::testing {

namespace {

LocatedWait WaitFor(ResourceKind kind, WaitPurpose purpose, std::uint64_t object) {
  LocatedWait wait;
  wait.reading.kind = kind;
  wait.reading.implementation = Implementation::kGlibc;
  wait.reading.purpose = purpose;
  wait.reading.object = object;
  wait.reading.futex_word = object;
  wait.reading.evidence = Evidence::kCertain;
  wait.reading.private_futex = true;
  wait.reading.word_matches = true;
  return wait;
}

void NameOwner(LocatedWait& wait, pid_t owner_ns_tid) {
  wait.reading.owner_ns_tid = owner_ns_tid;
  wait.reading.holders_known = owner_ns_tid != 0;
}

std::string NameOf(const Resource& resource) {
  const ResourceId& id = resource.id;
  return id.shared ? fmt::format("{} file {}:{}+{:#x}", ToString(resource.kind), id.device,
                                 id.inode, id.offset)
                   : fmt::format("{} {}:{:#x}", ToString(resource.kind), id.space, id.address);
}

}  // namespace

LocatedWait Mutex(std::uint64_t object, pid_t owner_ns_tid) {
  LocatedWait wait = WaitFor(ResourceKind::kMutex, WaitPurpose::kAcquire, object);
  NameOwner(wait, owner_ns_tid);
  return wait;
}

LocatedWait Semaphore(std::uint64_t object) {
  return WaitFor(ResourceKind::kSemaphore, WaitPurpose::kEvent, object);
}

LocatedWait Condition(std::uint64_t object) {
  return WaitFor(ResourceKind::kCondition, WaitPurpose::kEvent, object);
}

LocatedWait Join(std::uint64_t tid_word, pid_t joined_ns_tid) {
  LocatedWait wait = WaitFor(ResourceKind::kThreadExit, WaitPurpose::kJoin, tid_word);
  wait.reading.private_futex = false;
  NameOwner(wait, joined_ns_tid);
  return wait;
}

LocatedWait SharedMutex(std::uint64_t address, pid_t owner_ns_tid, MappedFile file,
                        std::uint64_t offset) {
  LocatedWait wait = Mutex(address, owner_ns_tid);
  wait.reading.private_futex = false;
  wait.reading.process_shared = true;
  wait.device = file.device;
  wait.inode = file.inode;
  wait.offset = offset;
  return wait;
}

void LookBuilder::Thread(pid_t tid, pid_t process) {
  TaskSample task;
  task.id = {tid, kEnd - 3600 * kSecond + tid};
  task.leader = {process, kEnd - 3600 * kSecond + process};
  task.ns_tid = tid;
  task.ns_tgid = process;
  task.pid_ns = kHostNamespace;
  task.parent_pid = 1;
  task.space = SpaceOf(process);
  task.state = RunState::kSleeping;
  task.asleep = true;
  task.switches = 50;
  task.off_cpu_since = kEnd - 10 * kSecond;
  task.has_registers = true;
  task.syscall = SYS_epoll_wait;
  task.comm = fmt::format("t{}", tid);
  task.leader_comm = fmt::format("t{}", process);
  threads_[tid] = {task, task, true, true};
  if (const auto [known, is_new] = readings_.try_emplace(process); is_new) {
    known->second.facts.emplace();
  }
}

ThreadReading& LookBuilder::Reading(pid_t tid) {
  ThreadReading& reading = readings_[First(tid).leader.tid].threads[tid];
  reading.read.tid = tid;
  return reading;
}

LocatedWait& LookBuilder::Waits(pid_t tid, const LocatedWait& wait) {
  const int flag = wait.reading.private_futex ? FUTEX_PRIVATE_FLAG : 0;
  for (TaskSample* task : {&First(tid), &Second(tid)}) {
    task->syscall = SYS_futex;
    task->arguments = {wait.reading.futex_word, static_cast<std::uint64_t>(FUTEX_WAIT | flag), 2};
  }
  return Reading(tid).read.wait.emplace(wait);
}

void LookBuilder::RunsAtSecond(pid_t tid) {
  TaskSample& task = Second(tid);
  task.state = RunState::kRunning;
  task.asleep = false;
  task.has_registers = false;
  task.syscall = -1;
  task.arguments = {};
}

void LookBuilder::Runs(pid_t tid) {
  RunsAtSecond(tid);
  First(tid) = Second(tid);
}

void LookBuilder::InNamespace(pid_t tid, std::uint32_t pid_ns, pid_t ns_tid) {
  for (TaskSample* task : {&First(tid), &Second(tid)}) {
    task->pid_ns = pid_ns;
    task->ns_tid = ns_tid;
  }
}

void LookBuilder::SharesMemory(pid_t tid, pid_t with_process) {
  First(tid).space = SpaceOf(with_process);
  Second(tid).space = SpaceOf(with_process);
}

RawLook LookBuilder::Look() const {
  RawLook look;
  look.first.begin = kEnd - 4 * kMillisecond;
  look.first.end = kEnd - 3 * kMillisecond;
  look.second.begin = kEnd - kMillisecond;
  look.second.end = kEnd;
  look.given_locks = given_locks_;
  for (const auto& [tid, samples] : threads_) {
    if (samples.at_first) look.first.tasks.push_back(samples.first);
    if (samples.at_second) look.second.tasks.push_back(samples.second);
    const pid_t process = samples.first.leader.tid;
    if (!deselected_.contains(process)) look.selected.insert(process);
  }
  for (Sweep* sweep : {&look.first, &look.second}) {
    std::map<std::uint64_t, std::uint32_t> users = extra_users_;
    for (const TaskSample& task : sweep->tasks) {
      if (task.state != RunState::kExited) ++users[task.space];
    }
    for (TaskSample& task : sweep->tasks) task.space_users = users[task.space];
    sweep->visited = sweep->tasks.size();
  }
  look.readings = readings_;
  return look;
}

Observation LookBuilder::Build(const BuildOptions& options) const {
  History history;
  return Build(history, options);
}

Observation LookBuilder::Build(History& history, const BuildOptions& options) const {
  return BuildObservation(Look(), options, 0, history);
}

std::vector<std::string> Edges(const Observation& observation) {
  std::vector<std::string> lines;
  const auto tid = [&](ActorIndex actor) {
    return observation.actors.at(static_cast<std::size_t>(actor)).id.tid;
  };
  const auto lock = [&](ResourceIndex resource) {
    return NameOf(observation.resources.at(static_cast<std::size_t>(resource)));
  };
  for (const Wait& wait : observation.waits) {
    lines.push_back(fmt::format("{} waits for {} ({}, {})", tid(wait.actor), lock(wait.resource),
                                ToString(wait.continuity), ToString(wait.evidence)));
  }
  for (const Hold& hold : observation.holds) {
    lines.push_back(fmt::format("{} holds {} ({})", tid(hold.actor), lock(hold.resource),
                                ToString(hold.evidence)));
  }
  for (const Resource& resource : observation.resources) {
    if (resource.abandoned != Abandoned::kNo) {
      lines.push_back(fmt::format("{} abandoned by {}: {}", NameOf(resource), resource.abandoned_by,
                                  ToString(resource.abandoned)));
    }
    if (!resource.holders_known) {
      lines.push_back(fmt::format("holders of {} unknown", NameOf(resource)));
    }
  }
  return lines;
}

std::vector<pid_t> ActorTids(const Observation& observation) {
  std::vector<pid_t> tids;
  for (const Actor& actor : observation.actors) tids.push_back(actor.id.tid);
  return tids;
}

const Actor& ActorOf(const Observation& observation, pid_t tid) {
  const auto found = std::find_if(observation.actors.begin(), observation.actors.end(),
                                  [&](const Actor& actor) { return actor.id.tid == tid; });
  if (found == observation.actors.end()) {
    throw std::out_of_range(fmt::format("no actor {}", tid));
  }
  return *found;
}

}  // namespace ct::testing
