// Goodlock's condition: can every step of a ring of lock orders be taken at one moment?
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "model/hold_activity.h"

namespace ct {

// Work that a search may still do; what it costs is counted in comparisons of sightings, guards and
// edges, some nanoseconds each.
class SearchBudget {
 public:
  explicit SearchBudget(std::size_t steps) : left_(steps) {}
  // False once it is used up.
  bool Spend(std::size_t steps) {
    left_ -= steps < left_ ? steps : left_;
    return left_ > 0;
  }
  [[nodiscard]] bool IsSpent() const { return left_ == 0; }

  // A part of the search was given up.
  void GiveUp() { gave_up_ = true; }
  [[nodiscard]] bool IsComplete() const { return !gave_up_ && !IsSpent(); }
  [[nodiscard]] std::size_t left() const { return left_; }

 private:
  std::size_t left_;
  bool gave_up_ = false;
};

// A path of lock orders that grows and shrinks at its end, with one sighting of each such that all
// of them fit together:
//  - each by another thread. Of an order that several threads were seen to have, and more than are
//    kept, any thread may do it: for want of another choice;
//  - no two with a common guard: whoever has that first keeps the other out;
//  - none that has another lock of the path: its own two are all that it may hold;
//  - nobody waits for a reader as a reader.
class SightingChoice {
 public:
  // Of each order no more sightings than these are looked at.
  static constexpr std::size_t kMaxSightings = 64;

  // Both must outlive it.
  SightingChoice(const std::vector<LockOrder>& orders, SearchBudget& budget)
      : orders_(&orders), budget_(&budget) {}

  void Clear();
  // Takes in an order whose `held` is the last one's `wanted`. False if no choice fits, or the
  // budget is used up: then nothing has changed.
  bool Push(LockOrderIndex order);
  void Pop();

  struct Chosen {
    std::vector<std::int32_t> sightings;  // by step
    bool any_thread = false;              // two steps are by one thread, see above
  };
  // The last order's `wanted` is the first one's `held`: a choice for all of the ring, by different
  // threads if there is one.
  std::optional<Chosen> Close();

 private:
  struct Step {
    LockOrderIndex order = kNoIndex;
    std::int32_t sighting = kNoIndex;
  };
  enum class Threads : std::uint8_t { kDifferent, kAny };
  using Candidates = std::vector<std::vector<std::int32_t>>;

  [[nodiscard]] const LockOrder& OrderAt(std::size_t step) const {
    return (*orders_)[static_cast<std::size_t>(path_[step].order)];
  }
  [[nodiscard]] const LockOrderSighting& SightingAt(std::size_t step, std::int32_t index) const {
    return OrderAt(step).sightings[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] std::size_t CountAt(std::size_t step) const;
  // Its threads are too many to be kept.
  [[nodiscard]] bool IsAnybodys(std::size_t step) const;
  [[nodiscard]] bool Follows(std::size_t first, std::size_t second, bool closed) const;
  bool Fit(std::size_t a, std::int32_t sighting_a, std::size_t b, std::int32_t sighting_b,
           bool closed, Threads threads);
  bool HasLock(const LockOrderSighting& sighting, std::size_t step);
  bool ExtendByOne();
  bool Solve(bool closed, Threads threads);
  bool CollectCandidates(Candidates& candidates);
  bool Match(const Candidates& candidates, Threads threads);
  bool AllFit(bool closed, Threads threads);
  bool Backtrack(const Candidates& candidates, bool closed, Threads threads);
  [[nodiscard]] bool SharesThread() const;

  const std::vector<LockOrder>* orders_;
  SearchBudget* budget_;
  std::vector<Step> path_;
};

}  // namespace ct
