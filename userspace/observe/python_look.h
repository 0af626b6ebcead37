// Two looks at a Python process, and which of its tasks did the same in both.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "base/clock.h"
#include "runtimes/python_process.h"

namespace ct {

struct PythonLook {
  PythonProcess first;
  PythonProcess second;
  TimeNs begin = 0;  // before the first
  TimeNs second_begin = 0;
  TimeNs end = 0;  // after the second
};

// True if both show the same stack, waiting for the same until the same deadline. A task that has
// gone around a loop may look the same: objects are made anew where others were.
bool IsSameWait(const PythonProcess& first, const PythonTask& before, const PythonProcess& second,
                const PythonTask& now);

// A task waits for a lock in both looks, and its loop did not sleep through them: a ring of such
// waits cannot be told, and another look may.
bool IsRestless(const PythonLook& look);

// What two looks together say of the tasks of the second.
class PythonComparison {
 public:
  // `look` must outlive it.
  explicit PythonComparison(const PythonLook& look);

  // It did the same in both looks.
  [[nodiscard]] bool IsSteady(const PythonTask& task) const;
  // The thread of its loop slept through both looks, though perhaps not between them: in each,
  // what the loop's tasks do fits together.
  [[nodiscard]] bool IsConsistent(const PythonTask& task) const;
  // All threads with an event loop slept so.
  [[nodiscard]] bool AllLoopsSlept() const;

 private:
  const PythonLook* look_;
  std::unordered_map<std::uint64_t, const PythonTask*> before_;  // by address
  std::unordered_set<pid_t> slept_;                              // native ids
};

}  // namespace ct
