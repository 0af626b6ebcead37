// The wait-for graph of one Observation: who waits for what, and who holds it, by index.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "model/observation.h"

namespace ct {

// For each key 0..n-1 its items, in the order in which they were given.
class Adjacency {
 public:
  Adjacency() = default;
  // Every key of `pairs` (key, item) is in 0..keys-1.
  Adjacency(std::size_t keys, const std::vector<std::pair<std::int32_t, std::int32_t>>& pairs);

  [[nodiscard]] std::span<const std::int32_t> operator[](std::int32_t key) const {
    const auto first = static_cast<std::size_t>(begin_[static_cast<std::size_t>(key)]);
    const auto last = static_cast<std::size_t>(begin_[static_cast<std::size_t>(key) + 1]);
    return std::span(items_).subspan(first, last - first);
  }

 private:
  std::vector<std::int32_t> begin_;  // keys + 1 offsets into items_
  std::vector<std::int32_t> items_;
};

// Built once in O(actors + resources + edges). Tolerates an Observation whose indices are out of
// range (a replayed file): such a wait is dropped, and a hold by nobody makes the holders of its
// resource unknown. An actor's second wait is dropped.
class WaitGraph {
 public:
  // `observation` must outlive the graph.
  explicit WaitGraph(const Observation& observation);
  // A graph of a temporary would dangle.
  explicit WaitGraph(Observation&&) = delete;

  [[nodiscard]] const Observation& observation() const { return *observation_; }
  [[nodiscard]] std::size_t actor_count() const { return wait_of_.size(); }
  [[nodiscard]] std::size_t resource_count() const { return holders_known_.size(); }

  // The indices below must be in range; the answers are (or kNoIndex for WaitOf and SpaceOf's 0).
  [[nodiscard]] WaitIndex WaitOf(ActorIndex actor) const { return wait_of_[Slot(actor)]; }
  [[nodiscard]] std::span<const WaitIndex> WaitersOf(ResourceIndex resource) const {
    return waiters_[resource];
  }
  [[nodiscard]] std::span<const HoldIndex> HoldersOf(ResourceIndex resource) const {
    return holders_[resource];
  }
  [[nodiscard]] std::span<const HoldIndex> HoldsOf(ActorIndex actor) const { return held_[actor]; }
  // Resource::holders_known, and no hold of it names an actor that is not there.
  [[nodiscard]] bool HoldersKnown(ResourceIndex resource) const {
    return holders_known_[Slot(resource)];
  }
  // The memory space of the actor's process; 0 if it has none.
  [[nodiscard]] SpaceId SpaceOf(ActorIndex actor) const;

  [[nodiscard]] const Actor& actor(ActorIndex index) const {
    return observation_->actors[Slot(index)];
  }
  [[nodiscard]] const Resource& resource(ResourceIndex index) const {
    return observation_->resources[Slot(index)];
  }
  [[nodiscard]] const Wait& wait(WaitIndex index) const { return observation_->waits[Slot(index)]; }
  [[nodiscard]] const Hold& hold(HoldIndex index) const { return observation_->holds[Slot(index)]; }

  // More than one unit, or more than one holder any of whom is enough: no single one of its holders
  // proves anything about a waiter.
  [[nodiscard]] bool IsCounted(ResourceIndex resource) const;
  // A pool or semaphore whose every unit is in use and whose every unit's holder is among its
  // Holds: nobody else has one to give back.
  [[nodiscard]] bool IsAccounted(ResourceIndex resource) const;

 private:
  static std::size_t Slot(std::int32_t index) { return static_cast<std::size_t>(index); }

  const Observation* observation_;
  std::vector<WaitIndex> wait_of_;   // by actor
  std::vector<bool> holders_known_;  // by resource
  Adjacency waiters_;                // resource -> waits
  Adjacency holders_;                // resource -> holds
  Adjacency held_;                   // actor -> holds
};

// True if the actor has left, or is about to leave, the wait that was seen: it wants or has a CPU
// and the wait was not there at both ends. (A waiter that re-arms or was woken in vain also runs
// now and then; it has Continuity::kContinued.)
bool HasLeftWait(const Actor& actor, const Wait& wait);

}  // namespace ct
