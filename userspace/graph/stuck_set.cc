#include "graph/stuck_set.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace ct {

namespace {

// Of a lock that names nobody it is only probable that nobody has it.
bool NobodyReleases(const Resource& resource) {
  if (resource.abandoned == Abandoned::kUnreferenced) return resource.kind != ResourceKind::kMutex;
  return resource.abandoned != Abandoned::kNo;
}

// One run of the fixpoint: starts from those who can make progress and follows what they release.
class Fixpoint {
 public:
  Fixpoint(const WaitGraph& graph, const StuckSet& rules,
           const std::vector<std::int32_t>* component)
      : graph_(graph),
        rules_(rules),
        component_(component),
        progresses_(graph.actor_count()),
        released_(graph.resource_count()),
        unreleased_holds_(graph.resource_count()) {}

  // By actor: true if it can make progress.
  std::vector<bool> Run() {
    for (std::size_t i = 0; i < graph_.actor_count(); ++i) {
      const auto actor = static_cast<ActorIndex>(i);
      const WaitIndex wait = graph_.WaitOf(actor);
      if (wait == kNoIndex || !rules_.Believes(graph_.wait(wait)) || IsOutside(actor)) {
        MarkActor(actor);
      }
    }
    for (std::size_t i = 0; i < graph_.resource_count(); ++i) {
      if (IsFreeAtOnce(static_cast<ResourceIndex>(i))) Release(static_cast<ResourceIndex>(i));
    }
    while (!work_.empty()) {
      const ActorIndex actor = work_.back();
      work_.pop_back();
      for (const HoldIndex hold : graph_.HoldsOf(actor)) DropHold(hold);
    }
    return std::move(progresses_);
  }

 private:
  bool IsOutside(ActorIndex actor) const {
    return component_ != nullptr && (*component_)[static_cast<std::size_t>(actor)] < 0;
  }

  // Whether the hold keeps a waiter of its resource: known well enough and, with components, by an
  // actor of the resource's own component.
  bool Counts(HoldIndex index) const {
    const Hold& hold = graph_.hold(index);
    if (!rules_.Believes(hold)) return false;
    if (component_ == nullptr) return true;
    return (*component_)[static_cast<std::size_t>(hold.actor)] == ComponentOf(hold.resource);
  }

  std::int32_t ComponentOf(ResourceIndex resource) const {
    return (*component_)[graph_.actor_count() + static_cast<std::size_t>(resource)];
  }

  bool IsFreeAtOnce(ResourceIndex index) {
    const Resource& resource = graph_.resource(index);
    if (NobodyReleases(resource)) return component_ != nullptr;
    if (!graph_.HoldersKnown(index)) return true;
    const bool believed =
        resource.kind == ResourceKind::kFuture ? rules_.rules().any_of : rules_.rules().counted;
    const bool doubtful = graph_.IsCounted(index) && !graph_.IsAccounted(index);
    if (!believed && doubtful) return true;
    const auto holds = graph_.HoldersOf(index);
    const auto counting =
        std::count_if(holds.begin(), holds.end(), [this](HoldIndex hold) { return Counts(hold); });
    unreleased_holds_[static_cast<std::size_t>(index)] = static_cast<std::uint32_t>(counting);
    if (resource.rule == ReleaseRule::kAllHolders) return counting == 0;
    return counting == 0 || static_cast<std::size_t>(counting) < holds.size();
  }

  // Its actor can make progress, so this hold will go.
  void DropHold(HoldIndex index) {
    const Hold& hold = graph_.hold(index);
    const Resource& resource = graph_.resource(hold.resource);
    if (NobodyReleases(resource) || !Counts(index)) return;
    if (released_[static_cast<std::size_t>(hold.resource)]) return;
    std::uint32_t& left = unreleased_holds_[static_cast<std::size_t>(hold.resource)];
    if (--left == 0 || resource.rule == ReleaseRule::kAnyHolder) Release(hold.resource);
  }

  void Release(ResourceIndex resource) {
    released_[static_cast<std::size_t>(resource)] = true;
    for (const WaitIndex wait : graph_.WaitersOf(resource)) MarkActor(graph_.wait(wait).actor);
  }

  void MarkActor(ActorIndex actor) {
    if (progresses_[static_cast<std::size_t>(actor)]) return;
    progresses_[static_cast<std::size_t>(actor)] = true;
    work_.push_back(actor);
  }

  const WaitGraph& graph_;
  const StuckSet& rules_;
  const std::vector<std::int32_t>* component_;
  std::vector<bool> progresses_;                 // by actor
  std::vector<bool> released_;                   // by resource
  std::vector<std::uint32_t> unreleased_holds_;  // by resource
  std::vector<ActorIndex> work_;                 // can make progress, holds not yet dropped
};

}  // namespace

StuckSet::StuckSet(const WaitGraph& graph, StuckRules rules) : graph_(&graph), rules_(rules) {
  Compute(nullptr);
}

StuckSet::StuckSet(const WaitGraph& graph, StuckRules rules,
                   const std::vector<std::int32_t>& component)
    : graph_(&graph), rules_(rules) {
  Compute(&component);
}

bool StuckSet::Believes(const Wait& wait) const {
  if (wait.evidence < rules_.evidence || wait.continuity == Continuity::kSeenOnce) return false;
  if (HasLeftWait(graph_->actor(wait.actor), wait)) return false;
  if (wait.timed || wait.deadline) return rules_.timed && wait.continuity == Continuity::kStill;
  return wait.continuity >= rules_.continuity;
}

void StuckSet::Compute(const std::vector<std::int32_t>* component) {
  stuck_ = Fixpoint(*graph_, *this, component).Run();
  stuck_.flip();
  for (std::size_t i = 0; i < stuck_.size(); ++i) {
    if (stuck_[i]) actors_.push_back(static_cast<ActorIndex>(i));
  }
}

}  // namespace ct
