// From two looks at a Python process to actors, resources, waits and holds: a pure step.
#pragma once

#include <functional>
#include <optional>

#include "model/observation.h"
#include "observe/python_look.h"

namespace ct {

// What is known of a thread from elsewhere.
struct PythonThreadInfo {
  ThreadId id;
  // It has slept since then, through both looks; unset where that is not known.
  std::optional<TimeNs> slept_since;
};

struct PythonPlace {
  ProcessIndex process = kNoIndex;  // the row of the process
  // May be empty.
  std::function<PythonThreadInfo(const PythonThread& thread)> thread;
  // The observation has an actor for each of its threads, with what it waits for in C.
  bool threads_are_known = false;
};

// Adds the tasks that are not finished and the threads, what they wait for and what they hold. A
// task's wait is kStill if both looks show it and its loop slept during each: then everything that
// one look shows was so at one moment, and a ring in it is one.
void AddPython(const PythonLook& look, const PythonPlace& place, Observation& observation);

}  // namespace ct
