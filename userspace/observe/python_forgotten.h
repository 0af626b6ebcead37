// What nobody in a Python process takes care of: read twice, and what both readings show is told.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "model/observation.h"
#include "observe/python_look.h"
#include "observe/task_origins.h"
#include "reader/reader.h"

namespace ct {

// nullopt: not Python, or not to be read; then with a loss. `origins` may be missing.
std::optional<PythonLook> LookForForgotten(Reader& reader, pid_t pid, TaskOrigins* origins,
                                           std::vector<Loss>& losses);

// Adds exceptions that nobody has asked for and coroutines that nobody awaits, if they are in both
// looks: whoever was about to take care of one has done so in between.
void AddForgotten(const PythonLook& look, ProcessIndex process, Observation& observation);

// Locks that nobody had and nothing would have released at some moment, if somebody waited for
// them.
struct AbandonedLocks {
  TimeNs at = 0;
  std::map<std::uint64_t, std::string> takers;  // by lock: who calls acquire() for it
};
// Those of both looks.
AbandonedLocks AbandonedIn(const PythonLook& look);
// Marks them in an observation of the same process, at that moment or later: those that somebody
// has waited for since, and that nobody is seen to have.
void AddAbandoned(const AbandonedLocks& locks, ProcessIndex process, Observation& observation);

}  // namespace ct
