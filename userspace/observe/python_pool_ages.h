// Since when tasks wait for pools in which nothing moves, over many looks at one process. The loop
// of a service runs ten times a second whether anything happens or not, so its sleep tells little.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "observe/python_look.h"

namespace ct {

class PythonPoolAges {
 public:
  void Update(const PythonLook& look);

  // Of a task of the last look: every look since then, and enough of them, has shown it waiting for
  // the same future, and the same units of the pool with the same holders. One look is no proof:
  // objects are made anew where others were. nullopt: not known.
  [[nodiscard]] std::optional<TimeNs> WaitsSince(const PythonTask& task) const;

 private:
  struct Pool {
    PythonPool seen;
    TimeNs since = 0;
    std::uint32_t looks = 0;
  };
  struct Wait {
    std::uint64_t pool = 0;
    TimeNs since = 0;
  };
  std::unordered_map<std::uint64_t, Pool> pools_;  // by address
  std::unordered_map<std::uint64_t, Wait> waits_;  // by future
};

}  // namespace ct
