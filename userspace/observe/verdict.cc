#include "observe/verdict.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include <fmt/format.h>

#include "model/names.h"

namespace ct {
namespace {

struct Activity {
  std::uint32_t threads = 0;
  std::uint32_t active = 0;    // running or runnable at the end
  std::uint32_t spinning = 0;  // active at both ends, never off CPU by its own will in between
  std::uint32_t lock_waits = 0;
  DurationNs cpu = 0;
  std::map<std::string, std::uint32_t> sleeps;  // what sleepers are in
};

bool IsActive(RunState state) {
  return state == RunState::kRunning || state == RunState::kRunnable;
}

std::string MostCommon(const std::map<std::string, std::uint32_t>& sleeps) {
  const auto most =
      std::max_element(sleeps.begin(), sleeps.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == sleeps.end() ? std::string() : most->first;
}

void Judge(const Activity& activity, Process& process) {
  const auto threads = [](std::uint32_t count) {
    return fmt::format("{} thread{}", count, count == 1 ? "" : "s");
  };
  if (activity.active > 0) {
    const bool spins = activity.spinning > 0 && activity.spinning == activity.active;
    process.verdict = spins ? Verdict::kSpinning : Verdict::kBusy;
    process.verdict_detail =
        spins ? fmt::format("{} on CPU all along, in no system call at either look",
                            threads(activity.spinning))
              : fmt::format("{} of {} on CPU or ready", activity.active, activity.threads);
    if (activity.lock_waits > 0) {
      process.verdict_detail += fmt::format(", {} wait for a lock", activity.lock_waits);
    }
  } else if (activity.lock_waits > 0) {
    process.verdict = Verdict::kBlocked;
    process.verdict_detail =
        fmt::format("{} of {} wait for a lock", activity.lock_waits, threads(activity.threads));
  } else {
    process.verdict = Verdict::kIdle;
    process.verdict_detail = fmt::format("{} asleep, mostly in {}", threads(activity.threads),
                                         MostCommon(activity.sleeps));
  }
}

}  // namespace

void AddVerdicts(const RawLook& look, const SweepIndex& first, Observation& observation) {
  std::map<pid_t, Activity> activities;
  std::map<pid_t, std::uint32_t> lock_waits;
  std::unordered_map<pid_t, const Actor*> actors;
  for (const Actor& actor : observation.actors) actors.emplace(actor.id.tid, &actor);
  for (const Wait& wait : observation.waits) {
    const Actor& actor = observation.actors[static_cast<std::size_t>(wait.actor)];
    if (wait.purpose == WaitPurpose::kAcquire && actor.process != kNoIndex) {
      ++lock_waits[observation.processes[static_cast<std::size_t>(actor.process)].id.tid];
    }
  }
  for (const TaskSample& task : look.second.tasks) {
    if (task.state == RunState::kExited) continue;
    Activity& activity = activities[task.leader.tid];
    ++activity.threads;
    const TaskSample* before = first.ByTid(task.id.tid);
    if (before != nullptr && before->id != task.id) before = nullptr;
    if (before != nullptr) activity.cpu += task.cpu_time - before->cpu_time;
    if (IsActive(task.state)) {
      ++activity.active;
      const bool all_along =
          before != nullptr && IsActive(before->state) && before->syscall < 0 && task.syscall < 0;
      if (all_along &&
          task.cpu_time - before->cpu_time > (look.second.end - look.first.begin) / 4) {
        ++activity.spinning;
      }
    } else {
      std::string what = ToString(task.state);
      if (const auto actor = actors.find(task.id.tid);
          task.state == RunState::kSleeping && actor != actors.end()) {
        what = actor->second->syscall.name;
      }
      if (!what.empty()) ++activity.sleeps[what];
    }
  }
  const auto wall =
      static_cast<double>(std::max<DurationNs>(1, look.second.end - look.first.begin));
  for (Process& process : observation.processes) {
    Activity& activity = activities[process.id.tid];
    activity.lock_waits = lock_waits[process.id.tid];
    process.cpu_percent = 100.0 * static_cast<double>(activity.cpu) / wall;
    process.threads = std::max(process.threads, activity.threads);
    Judge(activity, process);
  }
}

}  // namespace ct
