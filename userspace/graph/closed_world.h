// Memory spaces in which nobody is left to wake anybody (DESIGN rule 4).
#pragma once

#include <vector>

#include "graph/wait_graph.h"

namespace ct {

struct ClosedWorld {
  SpaceId space = 0;
  std::vector<ActorIndex> threads;  // every thread of the space, ascending
  // A signal handler or timer of the process might still wake one of them.
  bool signal_may_interrupt = false;
  // Nobody wants a lock, somebody waits for a thread of it to end: a lost wake-up, or a program
  // whose main thread only waits for workers that nobody will ever give work.
  bool only_joins = false;

  // It can never go on, whoever in it holds what.
  [[nodiscard]] bool IsCertain() const { return !signal_may_interrupt && !only_joins; }
};

// The spaces of which every thread slept through the interval in an untimed wait that only the
// space itself can end (a private futex, or the end of one of its threads), at least one of them
// for a lock or for a thread to end. Spaces that only wait for events are idle. Ascending by space.
// O(actors + spaces).
std::vector<ClosedWorld> FindClosedWorlds(const WaitGraph& graph);

}  // namespace ct
