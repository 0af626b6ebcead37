// Python's threads as actors, with what they wait for and hold, in Python's terms.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "observe/python_graph.h"

namespace ct {

class PythonThreads {
 public:
  explicit PythonThreads(PythonGraph& graph);

  // Those that others have made are named as their program names them, and their stacks get the
  // frames of Python; without those, threads that wait or hold something.
  void AddActors();
  // What a thread waits for in Python's terms takes the place of the C lock that it sleeps on.
  void AddWaits();
  void AddHolds();
  // Owners that locks name themselves, and the GIL's. After the holds of tasks.
  void AddOwners();
  // A lock that somebody waits for outside of a with-block, and nobody is known to have: it may be
  // a way to wait for an event. After all holds.
  void SettlePurposes();

 private:
  [[nodiscard]] bool IsInGraph(const PythonThread& thread) const;
  ActorIndex NewActor(const PythonThread& thread);
  void MergeStack(const PythonThread& thread, ActorIndex actor);
  void AddWait(const PythonThread& thread, ActorIndex actor);
  [[nodiscard]] Continuity ContinuityOf(const PythonThread& thread, ActorIndex actor,
                                        const Wait* native);
  void AddEnd(const PythonAwait& wait, ResourceIndex index);
  void AddOwner(const PythonLock& lock);
  void AddGil(const PythonGil& gil);

  PythonGraph& graph_;
  std::map<ThreadId, ActorIndex> known_;               // of the process, made by others
  std::unordered_set<std::uint64_t> owners_;           // of locks that somebody waits for: idents
  std::unordered_set<std::uint64_t> frames_of_tasks_;  // that run now: addresses
  std::vector<std::pair<const PythonThread*, ActorIndex>> threads_;
};

}  // namespace ct
