#include "kernel/syscall_counter.h"

#include <unistd.h>

#include <optional>
#include <utility>

#include <linux/perf_event.h>
#include <sys/syscall.h>

namespace ct {

bool SyscallCounter::Start(const Tracefs& tracefs) {
  events_.clear();
  const std::optional<std::uint64_t> event = tracefs.EventId("raw_syscalls/sys_enter");
  if (!event) return false;
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.size = sizeof(attributes);
  attributes.config = *event;
  const long cpus = sysconf(_SC_NPROCESSORS_CONF);
  for (int cpu = 0; cpu < cpus; ++cpu) {
    // One that is offline has none.
    UniqueFd counter(static_cast<int>(
        syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC)));
    if (counter.ok()) events_.push_back(std::move(counter));
  }
  return !events_.empty();
}

std::uint64_t SyscallCounter::Count() const {
  std::uint64_t sum = 0;
  for (const UniqueFd& event : events_) {
    std::uint64_t count = 0;
    if (read(event.get(), &count, sizeof(count)) == sizeof(count)) sum += count;
  }
  return sum;
}

}  // namespace ct
