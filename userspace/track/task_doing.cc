#include "track/task_doing.h"

#include <functional>
#include <string>

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

std::vector<std::size_t> HashDoing(const Observation& observation) {
  const std::vector<std::size_t> stacks = HashStacks(observation);
  std::vector<std::size_t> doings(observation.actors.size(), 0);
  for (std::size_t i = 0; i < observation.actors.size(); ++i) {
    const Actor& actor = observation.actors[i];
    if (actor.kind != ActorKind::kTask) continue;
    doings[i] = static_cast<std::size_t>(actor.state);
    if (actor.user_stack >= 0 && static_cast<std::size_t>(actor.user_stack) < stacks.size()) {
      doings[i] = HashCombine(doings[i], stacks[static_cast<std::size_t>(actor.user_stack)]);
    }
  }
  for (const Wait& wait : observation.waits) {
    if (wait.actor < 0 || static_cast<std::size_t>(wait.actor) >= doings.size()) continue;
    std::size_t& doing = doings[static_cast<std::size_t>(wait.actor)];
    if (doing == 0) continue;
    const Resource& resource = observation.resources[static_cast<std::size_t>(wait.resource)];
    doing = HashCombine(doing, resource.id.address);
    doing = HashCombine(doing, static_cast<std::uint64_t>(wait.deadline.value_or(0)));
  }
  return doings;
}

}  // namespace ct
