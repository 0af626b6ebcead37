// What a loop remembers of its last look, to tell from a cheap sweep whether another is worth its
// cost.
#pragma once

#include <cstdint>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include "model/observation.h"
#include "observe/look.h"
#include "observe/reading_cache.h"
#include "observe/tid_set.h"

namespace ct {

class WatchList {
 public:
  // `long_wait`: a wait that becomes as old deserves a look.
  explicit WatchList(DurationNs long_wait) : long_wait_(long_wait) {}

  void Remember(const RawLook& look, const SweepIndex& first, const SweepIndex& second,
                const Observation& observation);
  // True if something near a lock has changed since: somebody waits, left, came, waits for long
  // now. `selected` (tgids) with `everything` false is whom the filter names; `cache` remembers the
  // same look.
  bool HasChanged(const Sweep& sweep, bool everything, const std::unordered_set<pid_t>& selected,
                  const ReadingCache& cache);

 private:
  // A place where a thread was seen to wait for an event: its next sleep there needs no reading.
  struct IdleSite {
    std::uint64_t space;
    std::uint64_t futex;
    std::uint64_t pc;
    std::uint64_t sp;
    bool operator==(const IdleSite&) const = default;
  };
  struct IdleSiteHash {
    std::size_t operator()(const IdleSite& site) const;
  };
  // A lock-like wait of the last look.
  struct Watched {
    ThreadId id;
    std::uint64_t switches = 0;
  };

  static IdleSite SiteOf(const TaskSample& task);
  bool IsWatched(pid_t tid, std::uint64_t switches) const;
  bool IsNews(const TaskSample& task, const ReadingCache& cache) const;

  DurationNs long_wait_;
  std::unordered_set<IdleSite, IdleSiteHash> idle_sites_;
  std::unordered_map<pid_t, Watched> watched_;
  TimeNs next_long_ = std::numeric_limits<TimeNs>::max();  // the next of them waits for long then
  TidSet known_;                                           // whom a sweep has reported in full
  TimeNs last_look_ = 0;
  DurationNs refresh_ = 0;  // the longest time until the next
};

}  // namespace ct
