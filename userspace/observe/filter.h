// Which processes the user asked about. A filter chooses where to start: holders and shared locks
// outside it are followed.
#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include <sys/types.h>

#include "base/result.h"
#include "kernel/sweep.h"

namespace ct {

struct Filter {
  std::vector<pid_t> pids;
  std::string comm;    // of the thread group leader; empty = any
  std::string cgroup;  // path below the cgroup mount, or the full path; empty = any
  std::string unit;    // systemd unit; empty = any

  [[nodiscard]] bool empty() const {
    return pids.empty() && comm.empty() && cgroup.empty() && unit.empty();
  }
  // "pid 4242, 4243", "unit nginx.service": as it is printed. Empty for the whole host.
  [[nodiscard]] std::string Text() const;
};

// The systemd unit of a cgroup's path, "nginx.service"; empty if it is of none.
std::string UnitOf(const std::string& cgroup);

// A thread of the process has not ended; its first thread may have.
bool IsAlive(pid_t pid);

// Checks what can be checked before a sweep: every pid exists, is a process (not a kernel thread,
// not a zombie); the cgroup or unit exists. kUsage or kNotFound with one clear line.
Status CheckFilter(const Filter& filter);

// The process ids (tgids) of `tasks` that the filter selects; all of them for an empty filter.
// Members of a cgroup are read from its cgroup.procs, children included.
Result<std::unordered_set<pid_t>> SelectProcesses(const Filter& filter,
                                                  const std::vector<TaskSample>& tasks);

}  // namespace ct
