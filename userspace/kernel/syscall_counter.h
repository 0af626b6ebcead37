// How many system calls the whole host makes, for what tracepoints of system calls cost all of
// them.
#pragma once

#include <cstdint>
#include <vector>

#include "base/unique_fd.h"
#include "kernel/tracefs.h"

namespace ct {

class SyscallCounter {
 public:
  // Counts from here on, with a perf event on each CPU: every system call of the host takes some
  // 100 ns longer meanwhile. False: this kernel does not let us.
  bool Start(const Tracefs& tracefs);
  void Stop() { events_.clear(); }
  // Since Start, by CPUs that were online then.
  [[nodiscard]] std::uint64_t Count() const;

 private:
  std::vector<UniqueFd> events_;
};

}  // namespace ct
