// What /proc says about one process and about what its threads' system calls act on.
// Runs in the reader process. Nothing here opens a file of the target.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include <sys/types.h>

#include "base/clock.h"
#include "reader/reader.h"
#include "target/memory.h"

namespace ct {

// Executable, cgroup and signal handlers; the language is Target::Language's. Empty fields where
// /proc does not say.
ProcessFacts ReadProcessFacts(pid_t pid);

// "socket 10.0.0.4:5432", "unix socket /run/x.sock", "pipe", "file /var/lib/x", "process 4711"
// (wait4): what an x86-64 system call with these arguments acts on. Empty: nothing worth naming.
std::string DescribeSyscallObject(pid_t pid, std::int64_t syscall,
                                  const std::array<std::uint64_t, 6>& arguments);

// After how long the call ends by itself: sleeps, polls and epoll waits. nullopt: no timeout, or
// not readable, or absolute.
std::optional<DurationNs> SyscallTimeout(std::int64_t syscall,
                                         const std::array<std::uint64_t, 6>& arguments,
                                         Memory& memory);

}  // namespace ct
