#include "observe/syscall_name.h"

#include <seccomp.h>

#include <cstdlib>
#include <memory>

#include <sys/syscall.h>

namespace ct {

std::string SyscallName(std::int64_t number) {
  const std::unique_ptr<char, decltype(&free)> name(
      seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, static_cast<int>(number)), &free);
  if (name) return name.get();
  if (number == 455) return "futex_wait";  // Linux 6.7, newer than libseccomp 2.5
  return "syscall " + std::to_string(number);
}

bool IsSelector(std::int64_t number) {
  switch (number) {
    case SYS_poll:
    case SYS_ppoll:
    case SYS_select:
    case SYS_pselect6:
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2:
      return true;
    default:
      return false;
  }
}

}  // namespace ct
