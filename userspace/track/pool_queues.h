// How many waited for each pool before, so that a queue that grows is told from one that does not.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>

#include "model/observation.h"

namespace ct {

class PoolQueues {
 public:
  // What is older is forgotten.
  static constexpr DurationNs kKept = 60 * kSecond;

  // Sets Resource::queue_before of the pools, to the oldest length that is kept. To be called once
  // for each observation, in their order.
  void Mark(Observation& observation);

 private:
  // Another pool may be made where one was.
  using Key = std::pair<ResourceId, std::string>;

  std::map<Key, std::deque<QueueLength>> lengths_;
};

}  // namespace ct
