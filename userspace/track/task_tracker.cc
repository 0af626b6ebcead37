#include "track/task_tracker.h"

#include <algorithm>
#include <vector>

namespace ct {
TaskChanges TaskTracker::Update(Observation& observation) {
  ++update_;
  TaskChanges changes;
  const std::vector<std::size_t> doings = HashDoing(observation);
  std::vector<Wait*> wait_of(observation.actors.size(), nullptr);
  for (Wait& wait : observation.waits) {
    if (wait.actor >= 0 && static_cast<std::size_t>(wait.actor) < wait_of.size()) {
      wait_of[static_cast<std::size_t>(wait.actor)] = &wait;
    }
  }
  for (std::size_t i = 0; i < observation.actors.size(); ++i) {
    const Actor& actor = observation.actors[i];
    if (actor.kind != ActorKind::kTask) continue;
    Wait* wait = wait_of[i];
    const auto [entry, is_new] = seen_.try_emplace(TaskKey{actor.task, actor.name});
    Seen& seen = entry->second;
    const auto index = static_cast<ActorIndex>(i);
    const bool same = !is_new && seen.doing == doings[i];
    (is_new ? changes.appeared : same ? changes.same : changes.moved).push_back(index);
    if (!same) seen = {"", doings[i], observation.end, 0};
    seen.request = actor.request;
    seen.update = update_;
    if (wait == nullptr) continue;
    wait->since = std::min(wait->since, seen.since);
    // It did not wait for this in the look before.
    if (!same && last_look_ != 0 && (!wait->not_before || *wait->not_before < last_look_)) {
      wait->not_before = std::min(last_look_, wait->since);
    }
  }
  for (auto entry = seen_.begin(); entry != seen_.end();) {
    const auto which = entry++;
    if (which->second.update == update_) continue;
    const auto& [key, task] = *which;
    changes.ended.push_back(task.request.empty() ? "task " + key.name : task.request);
    seen_.erase(which);
  }
  last_look_ = observation.begin;
  return changes;
}

}  // namespace ct
