#include "kernel/tracefs.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string>

#include <sys/mount.h>
#include <sys/syscall.h>

namespace ct {
namespace {

// A mount that is attached nowhere: it ends with its descriptor.
UniqueFd MountDetached() {
  const UniqueFd context(static_cast<int>(syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC)));
  if (!context.ok()) return UniqueFd();
  if (syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return UniqueFd();
  }
  return UniqueFd(static_cast<int>(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0)));
}

}  // namespace

Result<Tracefs> Tracefs::Open() {
  for (const char* path : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    UniqueFd root(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (root.ok() && faccessat(root.get(), "events", F_OK, 0) == 0) return Tracefs(std::move(root));
  }
  UniqueFd mounted = MountDetached();
  if (!mounted.ok()) return FailErrno("tracefs is not mounted, and mounting it", errno);
  return Tracefs(std::move(mounted));
}

std::optional<std::uint64_t> Tracefs::EventId(const std::string& event) const {
  const UniqueFd file(
      openat(root_.get(), ("events/" + event + "/id").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 32> text{};
  const ssize_t got = file.ok() ? read(file.get(), text.data(), text.size()) : -1;
  std::uint64_t id = 0;
  if (got <= 0) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + got, id);
  if (error != std::errc()) return std::nullopt;
  return id;
}

}  // namespace ct
