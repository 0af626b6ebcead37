// Two looks at a Python process, and which of its tasks did the same in both.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "base/clock.h"
#include "model/observation.h"
#include "runtimes/python_process.h"

namespace ct {

struct PythonLook {
  PythonProcess first;
  PythonProcess second;
  TimeNs begin = 0;         // the first had been read: what it shows began before
  TimeNs second_begin = 0;  // before the second
  TimeNs end = 0;           // after it
  // Tasks (by address) that did the same in both, and are in `second` alone: see Fold.
  std::unordered_set<std::uint64_t> unmoved{};
};

// Drops from the first look the tasks that the second one shows the same: of a hundred thousand
// that wait these are nearly all. What is compared stays as it was.
void Fold(PythonLook& look);

// True if both show the same stack, waiting for the same until the same deadline. A task that has
// gone around a loop may look the same: objects are made anew where others were.
bool IsSameWait(const PythonProcess& first, const PythonTask& before, const PythonProcess& second,
                const PythonTask& now);

// The same of threads.
bool IsSameWait(const PythonProcess& first, const PythonThread& before, const PythonProcess& second,
                const PythonThread& now);

// A task waits for a lock in both looks, and its loop did not sleep through them, or a thread does
// so and ran in between: a ring of such waits cannot be told, and another look may.
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
  // The same of a thread; it may have run in between.
  [[nodiscard]] bool IsSteady(const PythonThread& thread) const;
  // It stands where it stood, whatever it waits for: who waits for the GIL does so in short turns.
  [[nodiscard]] bool IsAtSamePlace(const PythonThread& thread) const;
  // It did not run from before the first look until after the second.
  [[nodiscard]] bool SleptThrough(const PythonThread& thread) const;
  // Nor did the thread of the task's loop.
  [[nodiscard]] bool SleptThrough(const PythonTask& task) const;
  // It slept through both looks, though perhaps not between them.
  [[nodiscard]] bool Slept(const PythonThread& thread) const {
    return slept_.contains(thread.native_id);
  }
  // It slept through the second look.
  [[nodiscard]] bool IsAsleep(pid_t native_id) const { return asleep_.contains(native_id); }
  // The first look shows the same use by the same task, or by the same thread.
  [[nodiscard]] bool WasUsing(const PythonTask& task, const PythonUse& use) const;
  [[nodiscard]] bool WasUsing(const PythonThread& thread, const PythonUse& use) const;
  // All threads slept so.
  [[nodiscard]] bool AllSlept() const;

 private:
  const PythonLook* look_;
  std::unordered_map<std::uint64_t, const PythonTask*> before_;  // by address
  std::unordered_map<pid_t, const PythonThread*> threads_before_;
  std::unordered_set<pid_t> slept_;          // native ids
  std::unordered_set<pid_t> slept_through_;  // those that did not run between the looks either
  std::unordered_set<pid_t> asleep_;         // in the second look
};

// A frame as observations have it.
Frame FrameOf(const PythonProcess& process, const PythonFrame& frame);
// The 256 innermost of them. `truncated`: they are not all there were.
Stack PythonStackOf(const PythonProcess& process, const std::vector<PythonFrame>& frames,
                    bool truncated);

// What both looks missed: what a look at a process that runs on misses, the other may have seen;
// and while its loops run, objects come and go.
void AddPythonLosses(const PythonLook& look, Observation& observation);

}  // namespace ct
