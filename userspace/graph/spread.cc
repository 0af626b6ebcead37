#include "graph/spread.h"

#include <algorithm>
#include <cstddef>

namespace ct {

namespace {

std::size_t Slot(std::int32_t index) { return static_cast<std::size_t>(index); }

}  // namespace

Spread::Spread(const WaitGraph& graph)
    : graph_(&graph),
      reached_in_(graph.actor_count(), 0),
      counted_in_(graph.resource_count(), 0),
      blocked_holds_(graph.resource_count(), 0) {}

std::vector<ActorIndex> Spread::Behind(std::span<const ActorIndex> core, const StuckSet* stuck,
                                       const std::vector<bool>& excluded) {
  ++run_;
  found_.assign(core.begin(), core.end());
  for (const ActorIndex actor : core) reached_in_[Slot(actor)] = run_;
  for (std::size_t next = 0; next < found_.size(); ++next) {
    for (const HoldIndex index : graph_->HoldsOf(found_[next])) {
      const Hold& hold = graph_->hold(index);
      if (hold.evidence == Evidence::kUnknown) continue;
      const bool first = counted_in_[Slot(hold.resource)] != run_;
      if (first) {
        counted_in_[Slot(hold.resource)] = run_;
        blocked_holds_[Slot(hold.resource)] = 0;
      }
      const bool last =
          ++blocked_holds_[Slot(hold.resource)] == graph_->HoldersOf(hold.resource).size();
      // The answer for a waiter changes at these two only: a pool costs its holders plus its
      // waiters, not their product.
      if (first || last) VisitWaitersOf(hold.resource, stuck, excluded);
    }
  }
  std::vector<ActorIndex> behind(found_.begin() + static_cast<std::ptrdiff_t>(core.size()),
                                 found_.end());
  std::sort(behind.begin(), behind.end());
  return behind;
}

bool Spread::IsBehind(const Wait& wait, const StuckSet* stuck) {
  if (stuck != nullptr && stuck->Contains(wait.actor)) return true;
  if (wait.evidence == Evidence::kUnknown || HasLeftWait(graph_->actor(wait.actor), wait)) {
    return false;
  }
  const bool all = graph_->resource(wait.resource).rule == ReleaseRule::kAllHolders;
  return graph_->HoldersKnown(wait.resource) &&
         (all || blocked_holds_[Slot(wait.resource)] == graph_->HoldersOf(wait.resource).size());
}

void Spread::VisitWaitersOf(ResourceIndex resource, const StuckSet* stuck,
                            const std::vector<bool>& excluded) {
  for (const WaitIndex index : graph_->WaitersOf(resource)) {
    const Wait& wait = graph_->wait(index);
    if (reached_in_[Slot(wait.actor)] == run_) continue;
    if (!excluded.empty() && excluded[Slot(wait.actor)]) continue;
    if (!IsBehind(wait, stuck)) continue;
    reached_in_[Slot(wait.actor)] = run_;
    found_.push_back(wait.actor);
  }
}

}  // namespace ct
