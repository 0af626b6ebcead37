// Findings over time: the same hang keeps its number, is told once, and is told to have ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "model/finding.h"
#include "model/observation.h"

namespace ct {

// A thread, or a task of it, in whatever observation.
struct ActorId {
  ThreadId thread;
  std::uint64_t task = 0;  // 0: the thread itself
  auto operator<=>(const ActorId&) const = default;
};

// A finding that is over. The indices of a Finding mean nothing in a later observation, so this
// says who it was about by identity.
struct EndedFinding {
  std::uint64_t id = 0;
  FindingKind kind = FindingKind::kLongWait;
  TimeNs since = 0;
  TimeNs first_seen = 0;
  TimeNs last_seen = 0;
  // Members, and the root of a long wait; who held for long; of locks that are taken in opposite
  // orders the process, by its leader. At most kMaxNamed.
  std::vector<ActorId> actors;
  std::vector<ResourceId> resources;  // at most kMaxNamed

  static constexpr std::size_t kMaxNamed = 256;
  bool operator==(const EndedFinding&) const = default;
};

// Indices into the findings given to Update. Each finding is in exactly one of the first three, but
// for those left out (FindingTracker::max_tracked): they have id 0 and are in none.
struct FindingChanges {
  std::vector<std::size_t> appeared;
  std::vector<std::size_t> changed;
  std::vector<std::size_t> continuing;  // nothing new to say
  std::vector<EndedFinding> ended;      // by id
};

// Two findings of different observations are the same if they are of one kind (deadlocks and
// probable deadlocks are one: evidence grows) and share
//  - a deadlock: a member with what it waits for;
//  - a long wait: the root with what is waited for;
//  - an abandoned or hot lock: the lock;
//  - a swallowed exception: the future;
//  - coroutines that were never awaited: the function and who refers to them;
//  - a blocked event loop: the loop's thread, where it stood and why;
//  - locks taken in opposite orders: the process with the locks, or with where they are taken;
//  - long holds: the process with the lock's name, else with where it was taken.
// A finding that is missing is over if everybody in it was observed, or nothing relevant was
// lost (then who is not there has ended); else after a number of observations without it. Opposite
// orders are forgotten some time after their process, and never told to have ended. Memory is
// bounded by `max_tracked` findings of bounded size: for a new one the one missing longest is
// ended, and with that many in one observation the last new ones are left out.
class FindingTracker {
 public:
  static constexpr std::size_t kDefaultMaxTracked = 4096;
  explicit FindingTracker(std::size_t max_tracked = kDefaultMaxTracked);

  // Fills id, first_seen and last_seen of the findings (all of `observation`, in their order).
  // Observations are given oldest first.
  FindingChanges Update(std::vector<Finding>& findings, const Observation& observation);

  // Findings not ended, including those missing for now.
  [[nodiscard]] std::size_t tracked() const { return tracked_.size(); }

 private:
  // What two observations of one finding have in common.
  struct Anchor {
    FindingKind kind = FindingKind::kLongWait;
    ActorId actor;
    ResourceId resource;
    auto operator<=>(const Anchor&) const = default;
  };
  struct AnchorHash {
    std::size_t operator()(const Anchor& anchor) const;
  };
  // What was last told about a finding: a change is measured against it.
  struct Told {
    FindingKind kind = FindingKind::kLongWait;
    Ending ending = Ending::kMayEnd;
    Evidence evidence = Evidence::kUnknown;
    std::size_t in_ring = 0;    // members of a deadlock
    std::size_t concerned = 0;  // by it in all
  };
  struct Tracked {
    EndedFinding summary;
    Told told;
    std::vector<Anchor> anchors;
    std::uint64_t last_update = 0;  // the number of the Update that saw it last
    std::uint32_t misses = 0;
  };

  // `wait_of` is by actor.
  static std::vector<Anchor> AnchorsOf(const Finding& finding, const Observation& observation,
                                       const std::vector<WaitIndex>& wait_of);
  static bool IsNews(const Told& told, const Told& now);

  // Takes the finding in under its id; true if there is something new to say about it.
  bool See(Finding& finding, std::vector<Anchor> anchors, const Observation& observation);
  // The tracked finding that shares an anchor and was not seen by this update yet; 0: none.
  [[nodiscard]] std::uint64_t Match(const std::vector<Anchor>& anchors) const;
  void SetAnchors(std::uint64_t id, Tracked& tracked, std::vector<Anchor> anchors);
  void RemoveAnchors(std::uint64_t id, const Tracked& tracked);
  EndedFinding Forget(std::map<std::uint64_t, Tracked>::iterator which);
  void MissInversion(std::map<std::uint64_t, Tracked>::iterator which,
                     const Observation& observation);
  void EndMissing(const Observation& observation, std::vector<EndedFinding>& ended);
  void EndExcess(std::vector<EndedFinding>& ended);

  std::size_t max_tracked_;
  std::uint64_t last_id_ = 0;
  std::uint64_t update_ = 0;
  std::map<std::uint64_t, Tracked> tracked_;  // by id
  std::unordered_map<Anchor, std::uint64_t, AnchorHash> by_anchor_;
};

}  // namespace ct
