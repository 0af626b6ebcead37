// Tasks below the tasks that await them.
#pragma once

#include <string>
#include <vector>

#include "render/task_words.h"

namespace ct {

// "task main", "12 tasks Task-5, Task-6, ...".
std::string TaskNames(const TextContext& context, const std::vector<ActorIndex>& tasks);
// "ends in 53.0 s", "3 moving": the most urgent of each kind.
std::string TaskAsides(const TaskWords& words, const std::vector<ActorIndex>& tasks);

// Roots are those of `tasks` that none of them awaits, or with `each` all of them. Siblings that
// look the same all the way down are one, with a count. Each task is expanded once.
std::string TaskTree(TextContext& context, TaskWords& words, const std::vector<ActorIndex>& tasks,
                     bool each);

}  // namespace ct
