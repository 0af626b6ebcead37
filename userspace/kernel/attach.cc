#include "kernel/attach.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <thread>

#include <linux/perf_event.h>
#include <sys/syscall.h>

#include "base/unique_fd.h"
#include "kernel/libbpf_log.h"

namespace ct {

void TakeOff(std::vector<Link> links) {
  constexpr std::size_t kMaxThreads = 32;
  std::atomic<std::size_t> next = 0;
  const auto take_off = [&] {
    for (std::size_t i = next++; i < links.size(); i = next++) links[i].reset();
  };
  std::vector<std::thread> threads;
  try {
    while (threads.size() + 1 < std::min(kMaxThreads, links.size())) threads.emplace_back(take_off);
  } catch (const std::system_error&) {
    // No more threads are to be had: those that there are do it.
  }
  take_off();
  for (std::thread& thread : threads) thread.join();
}

Result<Link> AttachTracepoint(bpf_program* program, std::uint64_t event) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.size = sizeof(attributes);
  attributes.config = event;
  UniqueFd file(static_cast<int>(syscall(SYS_perf_event_open, &attributes, -1 /* any process */, 0,
                                         -1 /* no group */, PERF_FLAG_FD_CLOEXEC)));
  if (!file.ok()) return FailErrno("opening a tracepoint", errno);
  Link link(bpf_program__attach_perf_event(program, file.get()));
  if (!link) return LoadError("attaching to a tracepoint", -errno);
  static_cast<void>(file.Release());  // the link's now
  return link;
}

}  // namespace ct
