#include "track/task_tracker.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "base/hash.h"

namespace ct {
namespace {

std::size_t HashOf(const std::string& text) { return std::hash<std::string>()(text); }

// Stacks are shared by many tasks.
std::vector<std::size_t> HashStacks(const Observation& observation) {
  std::vector<std::size_t> hashes;
  hashes.reserve(observation.stacks.size());
  for (const Stack& stack : observation.stacks) {
    std::size_t hash = stack.frames.size();
    for (const Frame& frame : stack.frames) {
      hash = HashCombine(hash, HashOf(frame.function));
      hash = HashCombine(hash, HashOf(frame.file));
      hash = HashCombine(hash, frame.line);
    }
    hashes.push_back(hash);
  }
  return hashes;
}

}  // namespace

TaskChanges TaskTracker::Update(Observation& observation) {
  ++update_;
  TaskChanges changes;
  const std::vector<std::size_t> stacks = HashStacks(observation);
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
    std::size_t doing = static_cast<std::size_t>(actor.state);
    if (actor.user_stack >= 0 && static_cast<std::size_t>(actor.user_stack) < stacks.size()) {
      doing = HashCombine(doing, stacks[static_cast<std::size_t>(actor.user_stack)]);
    }
    if (wait != nullptr) {
      const Resource& resource = observation.resources[static_cast<std::size_t>(wait->resource)];
      doing = HashCombine(doing, resource.id.address);
      doing = HashCombine(doing, static_cast<std::uint64_t>(wait->deadline.value_or(0)));
    }
    const auto [entry, is_new] = seen_.try_emplace(Key{actor.task, actor.name});
    Seen& seen = entry->second;
    const auto index = static_cast<ActorIndex>(i);
    const bool same = !is_new && seen.doing == doing;
    (is_new ? changes.appeared : same ? changes.same : changes.moved).push_back(index);
    if (!same) seen = {"", doing, observation.end, 0};
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
