// Tasks that every look of many has seen in one and the same wait.
#pragma once

#include <cstdint>
#include <map>

#include "model/observation.h"
#include "track/task_doing.h"

namespace ct {

class UnmovedTasks {
 public:
  // In healthy services up to 45 % of looks cannot tell a wait from the next one at the same line
  // (objects are made anew where others were): so many in a row by chance once in 600 times, which
  // is why what they say is probable.
  static constexpr std::uint32_t kManyLooks = 8;

  // Sets Wait::unmoved_since of those that have not moved for so many looks. To be called once for
  // each observation, in their order.
  void Mark(Observation& observation);

 private:
  struct Seen {
    std::size_t doing = 0;  // see HashDoing()
    TimeNs since = 0;
    std::uint32_t looks = 0;
    std::uint64_t mark = 0;
  };

  std::map<TaskKey, Seen> seen_;
  std::uint64_t mark_ = 0;
};

}  // namespace ct
