// From the books of an interval to an Observation.
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "kernel/sweep.h"
#include "kernel/waits.h"
#include "model/observation.h"
#include "observe/contention_ledger.h"
#include "observe/gil_watch.h"
#include "observe/history.h"
#include "reader/reader.h"

namespace ct {

struct ContentionInput {
  TimeNs since = 0;
  DurationNs min_wait = 0;
  const ContentionLedger& ledger;
  const std::vector<LockCount>& counts;                  // of all time
  const Sweep& sweep;                                    // the interval's end
  const std::unordered_set<pid_t>& selected;             // whose waits in progress count
  const std::unordered_map<pid_t, ProcessFacts>& facts;  // by pid
  History& history;
  const GilWatch* gils = nullptr;  // whose waits are of a GIL; may be missing
};

// Adds the interval's locks, and whom and what they name, to an Observation of the same moment, or
// to an empty one. Futex words of one object (a rwlock's, a condition's) become one row; so do
// those of one shared lock in one process.
void AddContention(const ContentionInput& input, Observation& observation);

}  // namespace ct
