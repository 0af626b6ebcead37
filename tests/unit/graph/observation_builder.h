// Observations for tests, from a few lines of text.
//
//   process shop              what follows belongs to it; the first process is "app"
//   closed                    every thread of its memory space is observed
//   lock L: WORDS             a resource; undeclared ones are mutexes whose holders are known
//       semaphore, condition, rwlock, pool   its kind
//       all                   ReleaseRule::kAllHolders
//       unknown               holders_known = false
//       moves                 changed_hands = true
//       in_use=3   lost=1         units of a pool; lost: in use by nobody
//       high_water=3              most of them that were seen in use
//       address                   it has no name, and lies in the heap
//       capacity=3   exited, forked, reused, unreferenced (abandoned)   robust
//   order A>B: WORDS          a lock order of the process
//       NAME                      a thread that had A and asked for B, with the words before it:
//       guard=G                   what else it had
//       reads=held, reads=wanted, reads=both   as a reader
//       more                      more sightings than are kept
//   NAME: CLAUSE, CLAUSE...   a thread
//       holds L WORDS         probable, doubtful (Evidence::kUnknown), shared
//       waits L WORDS         an untimed still certain acquire on a private futex for 10 s, unless
//                             probable, doubtful; still, continued, once; timed, timed=5s (from now
//                             on); event; public (not a private futex); an age: 2s, 300ms
//       joins NAME WORDS      as waits, for the exit of that thread
//       runs, runnable, stopped, traced, frozen, throttled, uninterruptible
//       ran=2ms               asleep since then
//       signal                a signal handler or timer may interrupt it
//       task                  a runtime's task instead of a thread
//
// An Observation ends at kNow. A line that is not understood fails the test.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/finding.h"
#include "model/observation.h"

namespace ct::testing {

inline constexpr TimeNs kNow = 1'000'000 * kSecond;

class ObservationBuilder {
 public:
  ObservationBuilder();

  // Existing ones by name, else new ones with the defaults above. New actors belong to the process
  // named last.
  ProcessIndex Process(std::string_view name);
  ActorIndex Thread(std::string_view name);
  ResourceIndex Lock(std::string_view name);

  [[nodiscard]] ProcessIndex CurrentProcess() const { return process_; }

  // References are good until the next call.
  Wait& Waits(ActorIndex actor, ResourceIndex resource);
  Hold& Holds(ActorIndex actor, ResourceIndex resource);

  Observation Build();
  Observation observation;

 private:
  ProcessIndex process_ = kNoIndex;
};

Observation Observe(std::string_view text);

// "A>B writer, B>A reader".
std::string Orders(const Observation& observation, const std::vector<OrderStep>& steps);

// One line a finding, its parts separated by " | ":
//   DEADLOCK certain, never, for 10 s | a>L1 b>L2 | with c | behind d e
//   LONG_WAIT certain, may end, for 3.0 s | a b wait | a>L1 b>L2 | root c | behind d
//   LOCK_ORDER_INVERSION certain, may end, for 4.0 s | A>B t1, B>A t2
std::string Summary(const std::vector<Finding>& findings, const Observation& observation);

}  // namespace ct::testing
