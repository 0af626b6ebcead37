// Tasks that every look of many has seen in one and the same wait.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "model/observation.h"

namespace ct {

class UnmovedTasks {
 public:
  // In healthy services two looks in three tell a wait from the next one at the same line (objects
  // are made anew where others were); all of so many are never wrong by chance alone.
  static constexpr std::uint32_t kManyLooks = 8;

  // Sets Wait::unmoved_since of those that have not moved for so many looks. To be called once for
  // each observation, in their order.
  void Mark(Observation& observation);

 private:
  struct Key {
    std::uint64_t task = 0;
    std::string name;
    auto operator<=>(const Key&) const = default;
  };
  struct Seen {
    std::size_t doing = 0;  // see HashDoing()
    TimeNs since = 0;
    std::uint32_t looks = 0;
    std::uint64_t mark = 0;
  };

  std::map<Key, Seen> seen_;
  std::uint64_t mark_ = 0;
};

}  // namespace ct
