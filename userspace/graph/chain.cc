#include "graph/chain.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <tuple>

namespace ct {

RootFinder::RootFinder(const WaitGraph& graph, const std::vector<bool>& stop_at)
    : graph_(&graph), best_hold_(graph.resource_count()), next_(graph.actor_count()) {
  for (std::size_t i = 0; i < best_hold_.size(); ++i) {
    best_hold_[i] = BestHold(static_cast<ResourceIndex>(i));
  }
  for (std::size_t i = 0; i < next_.size(); ++i) {
    if (stop_at.empty() || !stop_at[i]) next_[i] = NextOf(static_cast<ActorIndex>(i));
  }
  FindRoots();
}

HoldIndex RootFinder::BestHold(ResourceIndex resource) const {
  const auto rank = [this](HoldIndex index) {
    const Hold& hold = graph_->hold(index);
    return std::tuple(-static_cast<int>(hold.evidence),
                      hold.since.value_or(std::numeric_limits<TimeNs>::max()), index);
  };
  const auto holds = graph_->HoldersOf(resource);
  const auto best = std::min_element(holds.begin(), holds.end(),
                                     [&](HoldIndex a, HoldIndex b) { return rank(a) < rank(b); });
  if (best == holds.end() || graph_->hold(*best).evidence == Evidence::kUnknown) return kNoIndex;
  return *best;
}

RootFinder::Next RootFinder::NextOf(ActorIndex actor) const {
  const WaitIndex index = graph_->WaitOf(actor);
  if (index == kNoIndex) return {};
  const Wait& wait = graph_->wait(index);
  if (wait.evidence == Evidence::kUnknown || HasLeftWait(graph_->actor(actor), wait)) return {};
  const HoldIndex hold = best_hold_[Slot(wait.resource)];
  if (hold != kNoIndex) return {{index, hold}, graph_->hold(hold).actor};
  // Who would signal an event is nobody's business; who has the lock is.
  if (wait.purpose != WaitPurpose::kAcquire) return {};
  return {{index, kNoIndex}, kNoIndex};
}

void RootFinder::FindRoots() {
  enum class Mark : std::uint8_t { kNew, kOnPath, kDone };
  std::vector<Mark> marks(next_.size(), Mark::kNew);
  roots_.resize(next_.size());
  std::vector<ActorIndex> path;
  for (std::size_t start = 0; start < next_.size(); ++start) {
    auto actor = static_cast<ActorIndex>(start);
    Root root;
    while (actor != kNoIndex && marks[Slot(actor)] == Mark::kNew) {
      marks[Slot(actor)] = Mark::kOnPath;
      path.push_back(actor);
      const Next& next = next_[Slot(actor)];
      if (next.step.wait == kNoIndex) root = {actor, kNoIndex};
      if (next.step.wait != kNoIndex && next.actor == kNoIndex) {
        root = {kNoIndex, graph_->wait(next.step.wait).resource};
      }
      actor = next.actor;
    }
    if (actor != kNoIndex) {
      root = marks[Slot(actor)] == Mark::kOnPath ? RootOfCycle(actor) : roots_[Slot(actor)];
    }
    for (const ActorIndex passed : path) {
      roots_[Slot(passed)] = root;
      marks[Slot(passed)] = Mark::kDone;
    }
    path.clear();
  }
}

Root RootFinder::RootOfCycle(ActorIndex inside) const {
  ActorIndex lowest = inside;
  for (ActorIndex actor = next_[Slot(inside)].actor; actor != inside;
       actor = next_[Slot(actor)].actor) {
    lowest = std::min(lowest, actor);
  }
  return {lowest, kNoIndex};
}

Chain RootFinder::ChainFrom(ActorIndex actor) const {
  Chain chain;
  chain.root = RootOf(actor);
  chain.evidence = Evidence::kCertain;
  // The root of a cycle may be the first actor itself: then once around.
  do {
    const Next& next = next_[Slot(actor)];
    if (next.step.wait == kNoIndex) break;
    chain.steps.push_back(next.step);
    chain.evidence = std::min(chain.evidence, graph_->wait(next.step.wait).evidence);
    if (next.step.held_by_next != kNoIndex) {
      chain.evidence = std::min(chain.evidence, graph_->hold(next.step.held_by_next).evidence);
    }
    actor = next.actor;
  } while (actor != kNoIndex && actor != chain.root.actor);
  return chain;
}

}  // namespace ct
