// The tasks of an observation as a table or as a tree of who awaits whom.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "model/finding.h"
#include "model/task_changes.h"
#include "render/renderer.h"

namespace ct {

struct TasksOptions {
  bool tree = false;
  // Which tasks: asked of a name and of each "function file:line" of its stack; empty: all.
  std::function<bool(const std::string&)> match;
};

// First the findings, then the tasks, equal ones once with their count.
std::string RenderTasks(const Observation& observation, std::span<const Finding> findings,
                        const TasksOptions& tasks, const RenderOptions& options);

// What has changed since the look before: counts, then who is new, has gone on, has ended, and who
// waits for a lock as before. `when` stands in front: "14:09:23".
std::string RenderTaskChanges(const Observation& observation, const TaskChanges& changes,
                              const std::string& when, const TasksOptions& tasks,
                              const RenderOptions& options);

}  // namespace ct
