// From what was seen of holds to rows of an Observation. Pure.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "kernel/holds.h"
#include "model/observation.h"
#include "observe/history.h"
#include "observe/hold_book.h"
#include "observe/stack_book.h"
#include "reader/reader.h"

namespace ct {

// Rows of HoldActivity::resources: those that were held longest.
inline constexpr std::size_t kMaxShownTotals = 256;

// How long nothing must have come to or gone from a pool whose size nobody says, before those who
// have units of it are taken for all: who took one before it was followed may give it back.
inline constexpr DurationNs kQuietPool = 10 * kSecond;

// Something that a thread has, or asks for, at the observation's end.
struct HeldNow {
  pid_t tid = 0;
  pid_t pid = 0;
  pid_t ns_tid = 0;
  std::uint64_t space = 0;
  HeldObject object;
  TimeNs since = 0;                          // of a hold: at or before this
  std::optional<StackBook::Id> acquired_at;  // or asked at
};

// What was counted of many locks. As much as there is of it, it is kept once, and in no tree.
class HoldCounts {
 public:
  explicit HoldCounts(std::deque<HoldCount> counts);
  // nullptr: nothing was counted of it.
  [[nodiscard]] const HoldCount* Find(const HoldKey& key) const;
  // In the order of their keys.
  [[nodiscard]] const std::deque<HoldCount>& all() const { return counts_; }
  // Those that have been held, or were given back by others: the longest first, kMaxShownTotals at
  // most.
  [[nodiscard]] std::vector<const HoldCount*> LongestHeld() const;

 private:
  std::deque<HoldCount> counts_;
};

struct HoldsInput {
  TimeNs since = 0;  // from here on acquires were followed
  TimeNs now = 0;
  DurationNs long_hold = 0;
  std::span<const HeldNow> held;   // confirmed: whoever is in it has it
  std::span<const HeldNow> asked;  // calls of acquires that have not come back
  const HoldCounts& counts;
  const HoldBook& book;
  const StackBook& stacks;
  const std::map<std::pair<pid_t, std::uint64_t>, ObjectPlace>& objects;
  std::function<const HoldProbe&(ProbeId)> probe;
};

// Whoever asks a pool waits for it, whatever he sleeps on inside; holds of what is waited for, and
// of pools; orders, long holds and totals.
void AddHolds(const HoldsInput& input, History& history, Observation& observation);

// True if `count` says that who acquires and who releases are different threads: a signal, whose
// holders are none.
bool IsSignal(const HoldCount& count);

}  // namespace ct
