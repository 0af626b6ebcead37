// How far a blockage spreads: who cannot go on before it ends.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/stuck_set.h"

namespace ct {

// Answers cost what they visit, plus one O(actors + resources) set-up for the object.
class Spread {
 public:
  // `graph` must outlive it.
  explicit Spread(const WaitGraph& graph);

  // The actors, ascending, that wait behind `core` (which is not among them), however many steps
  // away:
  //  - whose resource is released by nobody but these (kAnyHolder), or not without these
  //    (kAllHolders); their waits may be timed, probable or just begun;
  //  - of `stuck`, if given: any that has a path to them.
  // Actors for which `excluded` (by actor, may be empty) is true are left out, as is what only
  // waits behind those.
  std::vector<ActorIndex> Behind(std::span<const ActorIndex> core, const StuckSet* stuck,
                                 const std::vector<bool>& excluded);

 private:
  bool IsBehind(const Wait& wait, const StuckSet* stuck);
  void VisitWaitersOf(ResourceIndex resource, const StuckSet* stuck,
                      const std::vector<bool>& excluded);

  const WaitGraph* graph_;
  std::uint32_t run_ = 0;
  std::vector<std::uint32_t> reached_in_;     // by actor: the last run that reached it
  std::vector<std::uint32_t> counted_in_;     // by resource: the run `blocked_holds_` is of
  std::vector<std::uint32_t> blocked_holds_;  // by resource: holds by actors that were reached
  std::vector<ActorIndex> found_;
};

}  // namespace ct
