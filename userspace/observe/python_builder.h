// From two looks at a Python process to actors, resources, waits and holds: a pure step.
#pragma once

#include <functional>
#include <optional>

#include "model/observation.h"
#include "observe/python_look.h"

namespace ct {

// What is known of a thread from elsewhere.
struct PythonLoopThread {
  ThreadId id;
  // It has slept since then, through both looks; unset where that is not known.
  std::optional<TimeNs> slept_since;
};

struct PythonPlace {
  ProcessIndex process = kNoIndex;  // the row of the process
  // A loop's thread; may be empty.
  std::function<PythonLoopThread(const PythonThread& thread)> thread;
};

// Adds the tasks that are not finished, what they wait for and what they hold. A wait is kStill if
// both looks show it and its loop slept during each: then everything that one look shows was so at
// one moment, and a ring in it is one.
void AddPython(const PythonLook& look, const PythonPlace& place, Observation& observation);

}  // namespace ct
