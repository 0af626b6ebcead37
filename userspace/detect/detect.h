// What in an Observation is worth a person's attention. Pure: equal observations, equal findings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/finding.h"
#include "model/observation.h"

namespace ct {

struct DetectOptions {
  // A wait for a lock is long from this age on. A ring that a timeout will break is told only if
  // it lives this long: try-with-timeout is a way to avoid deadlocks, not one to have them.
  DurationNs long_wait = kSecond;
  // A task that works for a request and does not go on is stuck from this age on.
  DurationNs stuck_task = 10 * kSecond;
  // A lock that moves is hot with this many waiters: past the number of CPUs of a small host.
  std::uint32_t hot_lock_waiters = 8;
};

// Deadlocks first, then abandoned locks, pools, long waits and holds, stuck tasks, hot locks, locks
// that are taken in opposite orders, what nobody takes care of, blocked event loops and GILs that
// are fought for; within a kind by the number of actors it blocks. Each hang is one finding: who is
// part of one, or behind it, is not told again by a lesser one. With a filter (Observation::filter)
// only findings that concern a selected process. Tolerates malformed observations. Findings index
// into `observation`. What was too much to be decided is added to `undecided`, if given; that may
// be the observation's own losses.
std::vector<Finding> Detect(const Observation& observation, const DetectOptions& options = {},
                            std::vector<Loss>* undecided = nullptr);

// Members and those behind them.
std::size_t BlockedActors(const Finding& finding);

// True if a thread or task of the process (its index in the observation) is a member of the
// finding, waits behind it or is its root, or if what it tells was seen in that process.
bool Concerns(const Finding& finding, const Observation& observation, ProcessIndex process);

// How many of the first lines of a LOCK_ORDER_INVERSION's proof tell its steps.
std::size_t StepsInProof(const Finding& finding);

// Of the time covered by `gil`, from 0 to 1: somebody waited for it. By the looks at it.
double ContendedShare(const GilContention& gil);

// True for the findings whose members cannot go on by themselves: deadlocks and abandoned locks.
bool IsHang(FindingKind kind);

}  // namespace ct
