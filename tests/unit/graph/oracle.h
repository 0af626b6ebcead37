// The rules of graph/ once more, as definitions instead of algorithms: by trying every set of
// actors. For observations of at most kMaxActors actors.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "graph/stuck_set.h"
#include "model/observation.h"

namespace ct::testing {

inline constexpr int kMaxActors = 10;
using ActorSet = std::set<ActorIndex>;

class Oracle {
 public:
  Oracle(const Observation& observation, StuckRules rules);

  // The union of all sets whose members can only be let go by members (or by nobody).
  [[nodiscard]] ActorSet Stuck() const;
  // The maximal sets that are strongly connected and stuck even if all others could go on.
  [[nodiscard]] std::vector<ActorSet> Knots() const;
  // Length of the shortest cycle of waits within `actors`; 0: none.
  [[nodiscard]] std::size_t ShortestCycle(const ActorSet& actors) const;

 private:
  using Bits = std::uint32_t;

  [[nodiscard]] bool Believed(const Wait& wait) const;
  [[nodiscard]] bool IsKept(ActorIndex actor, Bits stuck, bool abandoned_keep) const;
  [[nodiscard]] bool Sustains(Bits stuck, bool abandoned_keep) const;
  [[nodiscard]] bool IsStronglyConnected(Bits actors) const;
  // By actor and actor: steps of the shortest way along waits, a large number without one.
  [[nodiscard]] std::vector<std::vector<int>> Distances(Bits within) const;

  const Observation& observation_;
  StuckRules rules_;
  std::vector<const Wait*> believed_;  // by actor, null without one
};

// Who must wait for `core` to end, or is stuck with a way to it, by asking everybody again and
// again until nobody new says yes.
ActorSet BehindByAsking(const Observation& observation, const ActorSet& core,
                        const ActorSet& stuck);

}  // namespace ct::testing
