#include "graph/sighting_choice.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace ct {

namespace {

// Of one search for a choice: enough for any that has a few conflicts; to decide on all is as hard
// as graph colouring.
constexpr std::size_t kMaxTries = std::size_t{1} << 14;

bool Disjoint(const std::vector<ResourceIndex>& a, const std::vector<ResourceIndex>& b) {
  return std::none_of(a.begin(), a.end(), [&](ResourceIndex guard) {
    return std::find(b.begin(), b.end(), guard) != b.end();
  });
}

}  // namespace

std::size_t SightingChoice::CountAt(std::size_t step) const {
  return std::min(OrderAt(step).sightings.size(), kMaxSightings);
}

// One thread alone may be seen with many guards, and be no danger.
bool SightingChoice::IsAnybodys(std::size_t step) const {
  const LockOrder& order = OrderAt(step);
  return order.more_sightings &&
         std::any_of(order.sightings.begin(), order.sightings.end(),
                     [&](const LockOrderSighting& sighting) {
                       return sighting.thread != order.sightings.front().thread;
                     });
}

bool SightingChoice::Follows(std::size_t first, std::size_t second, bool closed) const {
  return second == first + 1 || (closed && first + 1 == path_.size() && second == 0);
}

bool SightingChoice::Fit(std::size_t a, std::int32_t sighting_a, std::size_t b,
                         std::int32_t sighting_b, bool closed, Threads threads) {
  const LockOrderSighting& one = SightingAt(a, sighting_a);
  const LockOrderSighting& other = SightingAt(b, sighting_b);
  budget_->Spend(1 + one.guards.size() * other.guards.size());
  const bool anybodys = threads == Threads::kAny && (IsAnybodys(a) || IsAnybodys(b));
  if (one.thread == other.thread && !anybodys) return false;
  const auto as_readers = [](const LockOrderSighting& waiter, const LockOrderSighting& holder) {
    return waiter.wanted_mode == AccessMode::kShared && holder.held_mode == AccessMode::kShared;
  };
  if (Follows(a, b, closed) && as_readers(one, other)) return false;
  if (Follows(b, a, closed) && as_readers(other, one)) return false;
  return Disjoint(one.guards, other.guards);
}

// A lock of the path that is not one of the step's own two.
bool SightingChoice::HasLock(const LockOrderSighting& sighting, std::size_t step) {
  const LockOrder& own = OrderAt(step);
  budget_->Spend(sighting.guards.size() * path_.size());
  return std::any_of(sighting.guards.begin(), sighting.guards.end(), [&](ResourceIndex guard) {
    if (guard == own.held || guard == own.wanted) return false;
    return std::any_of(path_.begin(), path_.end(), [&](const Step& other) {
      const LockOrder& order = (*orders_)[static_cast<std::size_t>(other.order)];
      return order.held == guard || order.wanted == guard;
    });
  });
}

void SightingChoice::Clear() { path_.clear(); }

void SightingChoice::Pop() { path_.pop_back(); }

bool SightingChoice::Push(LockOrderIndex order) {
  const std::vector<Step> before = path_;
  path_.push_back({order, kNoIndex});
  if (ExtendByOne() || Solve(false, Threads::kDifferent) || Solve(false, Threads::kAny)) {
    return true;
  }
  path_ = before;
  return false;
}

// Without a change to what was chosen before: most often there is a sighting that fits.
bool SightingChoice::ExtendByOne() {
  const std::size_t last = path_.size() - 1;
  for (std::size_t step = 0; step < last; ++step) {
    if (HasLock(SightingAt(step, path_[step].sighting), step)) return false;
  }
  for (std::size_t i = 0; i < CountAt(last); ++i) {
    const auto sighting = static_cast<std::int32_t>(i);
    if (HasLock(SightingAt(last, sighting), last)) continue;
    bool fits = true;
    for (std::size_t step = 0; fits && step < last; ++step) {
      fits = Fit(step, path_[step].sighting, last, sighting, false, Threads::kDifferent);
    }
    if (budget_->IsSpent()) return false;
    if (!fits) continue;
    path_[last].sighting = sighting;
    return true;
  }
  return false;
}

bool SightingChoice::CollectCandidates(Candidates& candidates) {
  candidates.resize(path_.size());
  for (std::size_t step = 0; step < path_.size(); ++step) {
    for (std::size_t i = 0; i < CountAt(step); ++i) {
      const auto sighting = static_cast<std::int32_t>(i);
      if (!HasLock(SightingAt(step, sighting), step)) candidates[step].push_back(sighting);
    }
    if (candidates[step].empty() || budget_->IsSpent()) return false;
  }
  return true;
}

bool SightingChoice::Solve(bool closed, Threads threads) {
  Candidates candidates;
  if (!CollectCandidates(candidates)) return false;
  const std::vector<Step> before = path_;
  // Different threads for all of them is what most often fails, and is decided at once.
  if (Match(candidates, threads) &&
      (AllFit(closed, threads) || Backtrack(candidates, closed, threads))) {
    return true;
  }
  path_ = before;
  return false;
}

// A thread for each step, by augmenting paths; with kAny only for those that not anybody may do.
bool SightingChoice::Match(const Candidates& candidates, Threads threads) {
  struct Pick {
    std::size_t step = 0;
    std::int32_t sighting = kNoIndex;
  };
  std::map<ThreadId, Pick> taken;
  for (std::size_t start = 0; start < path_.size(); ++start) {
    if (threads == Threads::kAny && IsAnybodys(start)) {
      path_[start].sighting = candidates[start].front();
      continue;
    }
    // Breadth first from `start` to a thread that nobody has; by thread who asks for it.
    std::map<ThreadId, Pick> asked;
    std::vector<std::size_t> queue = {start};
    std::optional<ThreadId> free;
    for (std::size_t at = 0; at < queue.size() && !free; ++at) {
      for (const std::int32_t sighting : candidates[queue[at]]) {
        const ThreadId& thread = SightingAt(queue[at], sighting).thread;
        if (!budget_->Spend(8)) return false;  // a look into a map
        if (!asked.try_emplace(thread, Pick{queue[at], sighting}).second) continue;
        const auto owner = taken.find(thread);
        if (owner == taken.end()) {
          free = thread;
          break;
        }
        queue.push_back(owner->second.step);
      }
    }
    if (!free) return false;
    for (ThreadId thread = *free;;) {
      const Pick pick = asked.at(thread);
      const bool first = pick.step == start;
      const ThreadId old =
          first ? ThreadId() : SightingAt(pick.step, path_[pick.step].sighting).thread;
      taken[thread] = pick;
      path_[pick.step].sighting = pick.sighting;
      if (first) break;
      thread = old;
    }
  }
  return true;
}

bool SightingChoice::AllFit(bool closed, Threads threads) {
  for (std::size_t a = 0; a < path_.size(); ++a) {
    for (std::size_t b = a + 1; b < path_.size(); ++b) {
      if (!Fit(a, path_[a].sighting, b, path_[b].sighting, closed, threads)) return false;
      if (budget_->IsSpent()) return false;
    }
  }
  return true;
}

// Those with the fewest candidates first.
bool SightingChoice::Backtrack(const Candidates& candidates, bool closed, Threads threads) {
  std::vector<std::size_t> steps(path_.size());
  std::iota(steps.begin(), steps.end(), std::size_t{0});
  std::stable_sort(steps.begin(), steps.end(), [&](std::size_t a, std::size_t b) {
    return candidates[a].size() < candidates[b].size();
  });
  std::vector<std::size_t> next(path_.size(), 0);
  std::size_t at = 0;
  for (std::size_t tries = 0; at < steps.size(); ++tries) {
    const std::size_t step = steps[at];
    if (tries == kMaxTries) {
      budget_->GiveUp();
      return false;
    }
    if (next[at] == candidates[step].size()) {
      if (at == 0) return false;
      next[at--] = 0;
      continue;
    }
    path_[step].sighting = candidates[step][next[at]++];
    bool fits = true;
    for (std::size_t before = 0; fits && before < at; ++before) {
      fits = Fit(steps[before], path_[steps[before]].sighting, step, path_[step].sighting, closed,
                 threads);
    }
    if (budget_->IsSpent()) return false;
    if (fits) ++at;
  }
  return true;
}

bool SightingChoice::SharesThread() const {
  std::set<ThreadId> seen;
  for (std::size_t step = 0; step < path_.size(); ++step) {
    if (!seen.insert(SightingAt(step, path_[step].sighting).thread).second) return true;
  }
  return false;
}

std::optional<SightingChoice::Chosen> SightingChoice::Close() {
  const bool good = AllFit(true, Threads::kDifferent) || Solve(true, Threads::kDifferent) ||
                    Solve(true, Threads::kAny);
  if (!good) return std::nullopt;
  Chosen chosen;
  for (const Step& step : path_) chosen.sightings.push_back(step.sighting);
  chosen.any_thread = SharesThread();
  return chosen;
}

}  // namespace ct
