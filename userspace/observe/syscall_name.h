// Names of x86-64 system calls.
#pragma once

#include <cstdint>
#include <string>

namespace ct {

std::string SyscallName(std::int64_t number);  // "futex"; "syscall 999" where it has no name

// One in which an event loop waits for what happens next.
bool IsSelector(std::int64_t number);

}  // namespace ct
