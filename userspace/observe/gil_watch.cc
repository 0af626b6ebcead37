#include "observe/gil_watch.h"

#include <algorithm>
#include <string>
#include <utility>

#include "observe/python_look.h"

namespace ct {
namespace {

constexpr std::size_t kMaxPythons = GilWatch::kMaxProcesses;
constexpr DurationNs kAskAgain = 2 * kSecond;
constexpr std::size_t kMaxAsked = 4096;
// Twenty looks a second tell shares to a few percent within ten seconds.
constexpr DurationNs kBetweenLooks = 50 * kMillisecond;
// What looking takes of the reader's CPU time is at most one part of so many of the time.
constexpr DurationNs kParts = 20;
constexpr DurationNs kMaxUse = 100 * kMillisecond;
// Nobody waited for so long: there is nothing to look at.
constexpr DurationNs kQuiet = kSecond;

}  // namespace

void GilWatch::Follow(pid_t pid, const SweepIndex& index) {
  if (pythons_.size() >= kMaxPythons || pythons_.contains(pid)) return;
  // What has no GIL by now, or none that can be read, may be another program later; asking is dear.
  const TimeNs now = MonotonicNow();
  const auto asked = asked_.find(pid);
  if (asked != asked_.end() && now - asked->second < kAskAgain) return;
  if (asked_.size() >= kMaxAsked) asked_.clear();
  asked_[pid] = now;
  Python& python = pythons_[pid];
  Look(pid, index, python);
  if (python.gils.empty()) pythons_.erase(pid);
}

std::optional<std::uint64_t> GilWatch::GilOf(const LockKey& key) const {
  const auto python = pythons_.find(key.pid);
  if (python == pythons_.end()) return std::nullopt;
  for (const Gil& gil : python->second.gils) {
    if (key.address - gil.address < gil.size) return gil.address;
  }
  return std::nullopt;
}

void GilWatch::Note(const WaitSample& wait) {
  const auto address = GilOf(wait.lock);
  if (!address || wait.begin == 0) return;
  Python& python = pythons_.at(wait.lock.pid);
  python.waited_at = std::max(python.waited_at, wait.end);
  for (Gil& gil : python.gils) {
    if (gil.address != *address) continue;
    gil.waited_for = true;
    gil.book.NoteWait(wait.id, wait.name, wait.begin, wait.end, wait.timed_out);
  }
}

std::optional<TimeNs> GilWatch::next_look() const {
  std::optional<TimeNs> next;
  for (const auto& [pid, python] : pythons_) {
    if (python.waited_at == 0 || python.next_look - python.waited_at > kQuiet) continue;
    next = std::min(next.value_or(python.next_look), python.next_look);
  }
  return next;
}

void GilWatch::Look(const SweepIndex& index) {
  const TimeNs now = MonotonicNow();
  for (auto& [pid, python] : pythons_) {
    const bool quiet = now - python.waited_at > kQuiet;
    if (!quiet && now >= python.next_look) Look(pid, index, python);
  }
}

void GilWatch::Look(pid_t pid, const SweepIndex& index, Python& python) {
  ProcessToRead request;
  request.pid = pid;
  request.want_threads = true;
  const DurationNs before = reader_.cost().cpu;
  const ProcessRead answer = reader_.Read(request);
  const DurationNs used = std::clamp<DurationNs>(reader_.cost().cpu - before, 0, kMaxUse);
  const TimeNs now = MonotonicNow();
  python.next_look = now + std::max(kBetweenLooks, kParts * used);
  if (!answer.python) return;
  for (const PythonGil& gil : answer.python->gils) {
    auto known = std::find_if(python.gils.begin(), python.gils.end(),
                              [&](const Gil& other) { return other.address == gil.address; });
    if (known == python.gils.end()) {
      known = python.gils.insert(known, {gil.address, gil.size, GilBook(begin_)});
    }
    NoteLook(*answer.python, gil, index, now, known->book);
  }
}

void GilWatch::NoteLook(const PythonProcess& process, const PythonGil& gil, const SweepIndex& index,
                        TimeNs at, GilBook& book) {
  const auto thread = [&](const PythonThread& from) {
    const TaskSample* task = index.ByTid(from.host_tid);
    GilThread to;
    // One that is younger than the sweep is known by the next.
    to.id = task == nullptr ? ThreadId{from.host_tid, 0} : task->id;
    to.name = !from.name.empty() ? from.name : task != nullptr ? task->comm : "thread";
    to.stack = PythonStackOf(process, from.frames, from.truncated);
    return to;
  };
  GilLook look;
  look.at = at;
  look.collecting = gil.collecting;
  for (const PythonThread& from : process.threads) {
    if (from.host_tid == 0) continue;
    if (gil.held && from.native_id == gil.holder) look.holder = thread(from);
    const bool waits =
        from.waits_for.kind == PythonAwaitKind::kGil && from.waits_for.object == gil.address;
    if (waits && from.native_id != gil.holder) look.waiters.push_back(thread(from));
  }
  book.NoteLook(look);
}

void GilWatch::AddTo(History& history, const SweepIndex& index, TimeNs end,
                     Observation& observation) {
  for (auto& [pid, python] : pythons_) {
    const TaskSample* leader = index.ByTid(pid);
    for (Gil& gil : python.gils) {
      if (!gil.waited_for) continue;
      GilContention row = gil.book.Report(end, observation.stacks);
      for (std::size_t i = 0; i < observation.processes.size(); ++i) {
        if (observation.processes[i].id.tid == pid) row.process = static_cast<ProcessIndex>(i);
      }
      if (leader != nullptr) {
        const SpaceId space = history.Space(leader->space);
        for (std::size_t i = 0; i < observation.resources.size(); ++i) {
          const ResourceId& id = observation.resources[i].id;
          if (!id.shared && id.space == space && id.address == gil.address) {
            row.resource = static_cast<ResourceIndex>(i);
          }
        }
      }
      observation.contention.gils.push_back(std::move(row));
    }
  }
}

}  // namespace ct
