#include "track/unmoved_tasks.h"

namespace ct {

void UnmovedTasks::Mark(Observation& observation) {
  ++mark_;
  const std::vector<std::size_t> doings = HashDoing(observation);
  for (Wait& wait : observation.waits) {
    if (wait.actor < 0 || static_cast<std::size_t>(wait.actor) >= observation.actors.size()) {
      continue;
    }
    const auto index = static_cast<std::size_t>(wait.actor);
    const Actor& actor = observation.actors[index];
    if (actor.kind != ActorKind::kTask) continue;
    Seen& seen = seen_[{actor.task, actor.name}];
    if (seen.looks == 0 || !actor.still || seen.doing != doings[index]) {
      seen = {doings[index], observation.end, 0, 0};
    }
    ++seen.looks;
    seen.mark = mark_;
    if (seen.looks >= kManyLooks) wait.unmoved_since = seen.since;
  }
  std::erase_if(seen_, [this](const auto& entry) { return entry.second.mark != mark_; });
}

}  // namespace ct
