// Tasks over time: who is new, who has gone on, who does the same as before.
#pragma once

#include <cstdint>
#include <map>

#include "model/observation.h"
#include "model/task_changes.h"
#include "track/task_doing.h"

namespace ct {

// A task is the same for as long as there is one of its name at its address. One that goes around a
// loop may look the same each time: what is called the same is where it was seen, not that it has
// not run in between.
class TaskTracker {
 public:
  // Also sets since when the tasks wait, as far as earlier looks tell: those that did the same
  // before wait at least since then, the others not since before the look that saw them elsewhere.
  TaskChanges Update(Observation& observation);

 private:
  struct Seen {
    std::string request;
    std::size_t doing = 0;  // see HashDoing()
    TimeNs since = 0;
    std::uint64_t update = 0;
  };

  std::map<TaskKey, Seen> seen_;
  TimeNs last_look_ = 0;
  std::uint64_t update_ = 0;
};

}  // namespace ct
