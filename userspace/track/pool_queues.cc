#include "track/pool_queues.h"

#include <cstddef>
#include <vector>

namespace ct {
namespace {

// At least so far apart, whatever an observation costs.
constexpr DurationNs kApart = kSecond;

}  // namespace

void PoolQueues::Mark(Observation& observation) {
  std::vector<std::uint32_t> waiting(observation.resources.size(), 0);
  for (const Wait& wait : observation.waits) {
    if (wait.resource < 0 || static_cast<std::size_t>(wait.resource) >= waiting.size()) continue;
    ++waiting[static_cast<std::size_t>(wait.resource)];
  }
  const TimeNs now = observation.end;
  for (auto& [pool, lengths] : lengths_) {
    while (!lengths.empty() && now - lengths.front().at > kKept) lengths.pop_front();
  }
  for (std::size_t i = 0; i < observation.resources.size(); ++i) {
    Resource& resource = observation.resources[i];
    if (resource.kind != ResourceKind::kPool) continue;
    std::deque<QueueLength>& lengths = lengths_[{resource.id, resource.type}];
    if (!lengths.empty()) resource.queue_before = lengths.front();
    if (lengths.empty() || now - lengths.back().at >= kApart) lengths.push_back({now, waiting[i]});
  }
  std::erase_if(lengths_, [](const auto& entry) { return entry.second.empty(); });
}

}  // namespace ct
