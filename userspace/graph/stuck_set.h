// Who cannot make progress: the greatest set of waiters each of which can only be let go by
// others of the set.
#pragma once

#include <vector>

#include "graph/wait_graph.h"

namespace ct {

// Which waits and holds are believed. A wait that is not believed may end any moment: its actor
// can make progress. A hold that is not believed is one whose holder can make progress.
struct StuckRules {
  // Waits and holds known at least this well.
  Evidence evidence = Evidence::kCertain;
  // Untimed waits seen at least this long. kSeenOnce accuses nobody and is not allowed.
  Continuity continuity = Continuity::kContinued;
  // Waits for counted resources, too, though not all their units are accounted for
  // (WaitGraph::IsCounted, IsAccounted).
  bool counted = false;
  // Waits with a timeout, too; they must be still: a timed wait seen twice may be two waits.
  bool timed = false;
  // Waits for a future that several may complete, too: unlike units, which who holds none may give
  // back, it is completed by nobody else. All must be still.
  bool any_of = false;

  // Single holders read from the lock itself: in a ring of those one still actor proves that
  // nobody left (DESIGN rule 3).
  static StuckRules Proven() { return {}; }
  // Everything that is at least probable; then everybody must have been seen still.
  // All members asleep at one moment, everybody known who could let them go.
  static StuckRules Frozen() {
    return {Evidence::kCertain, Continuity::kStill, false, false, true};
  }
  static StuckRules Likely() {
    return {Evidence::kProbable, Continuity::kStill, true, false, true};
  }
  [[nodiscard]] StuckRules WithTimed() const {
    StuckRules rules = *this;
    rules.timed = true;
    return rules;
  }
  [[nodiscard]] StuckRules WithoutTimed() const {
    StuckRules rules = *this;
    rules.timed = false;
    return rules;
  }
};

// An actor can make progress if
//  - it has no wait that is believed: it runs, is runnable, sleeps on a timer or waits for I/O. A
//    stopped, traced, frozen or throttled one that waits is judged by its wait, since being
//    continued would not help it; one that does not wait can go on once it is continued;
//  - the holders of what it waits for are unknown, or it has none (it changes hands just now);
//  - a holder (ReleaseRule::kAnyHolder) or all holders (kAllHolders) can make progress.
// Nobody releases an abandoned resource. O(actors + resources + edges).
class StuckSet {
 public:
  // `graph` must outlive the set.
  StuckSet(const WaitGraph& graph, StuckRules rules);

  // As above, but what is outside an actor's own component can make progress, and abandoned
  // resources are released: who remains is stuck because of its own component alone.
  // `component` is by actor, then by resource; negative: outside of all components.
  StuckSet(const WaitGraph& graph, StuckRules rules, const std::vector<std::int32_t>& component);

  [[nodiscard]] bool Contains(ActorIndex actor) const {
    return stuck_[static_cast<std::size_t>(actor)];
  }
  [[nodiscard]] const std::vector<ActorIndex>& actors() const { return actors_; }  // ascending
  [[nodiscard]] const StuckRules& rules() const { return rules_; }
  [[nodiscard]] bool Believes(const Wait& wait) const;
  [[nodiscard]] bool Believes(const Hold& hold) const { return hold.evidence >= rules_.evidence; }

 private:
  void Compute(const std::vector<std::int32_t>* component);

  const WaitGraph* graph_;
  StuckRules rules_;
  std::vector<bool> stuck_;  // by actor
  std::vector<ActorIndex> actors_;
};

}  // namespace ct
