#include "observe/history.h"

#include <algorithm>

namespace ct {

SpaceId History::Space(std::uint64_t kernel_identity) {
  if (kernel_identity == 0) return 0;
  return spaces_.try_emplace(kernel_identity, static_cast<SpaceId>(spaces_.size() + 1))
      .first->second;
}

TimeNs History::WaitSince(const ThreadId& actor, const ResourceId& resource,
                          const WaitSighting& sighting) {
  const auto [entry, is_new] = waits_.try_emplace({actor, resource});
  const WaitSighting before = entry->second.sighting;
  entry->second = {sighting, true};
  const bool same = before.switches_at_second == sighting.switches_at_first ||
                    (sighting.keeper && before.keeper == sighting.keeper);
  if (!is_new && same) entry->second.sighting.since = std::min(before.since, sighting.since);
  return entry->second.sighting.since;
}

void History::Sweep() {
  std::erase_if(waits_, [](const auto& entry) { return !entry.second.fresh; });
  for (auto& [key, seen] : waits_) seen.fresh = false;
}

}  // namespace ct
