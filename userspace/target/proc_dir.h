// /proc/PID of one process, held open: after the process is gone its files fail with ESRCH and
// never become those of another process with the same pid.
#pragma once

#include <cstdint>
#include <string>

#include <sys/types.h>

#include "base/result.h"
#include "base/unique_fd.h"

namespace ct {

class ProcDir {
 public:
  static Result<ProcDir> Open(pid_t pid);

  // Contents of /proc/PID/NAME, at most `limit` bytes of it.
  [[nodiscard]] Result<std::string> ReadFile(const char* name, std::size_t limit) const;
  [[nodiscard]] Result<std::string> ReadLink(const char* name) const;
  // Opens the file behind /proc/PID/exe, which is always a regular file.
  [[nodiscard]] Result<UniqueFd> OpenExecutable() const;
  // Opens the file mapped at [begin, end), whatever its name and mount namespace, also when it was
  // unlinked. Needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN; kPermission without.
  [[nodiscard]] Result<UniqueFd> OpenMapped(std::uint64_t begin, std::uint64_t end) const;
  // Opens a regular file below the process's own root directory; symbolic links resolve inside
  // that root, magic links and a last component that is a link do not resolve at all.
  [[nodiscard]] Result<UniqueFd> OpenBelowRoot(const std::string& path) const;

 private:
  explicit ProcDir(UniqueFd directory) : directory_(std::move(directory)) {}
  UniqueFd directory_;
};

// Opens `path` below `directory`, never leaving it: a regular file, not waiting for anything.
Result<UniqueFd> OpenRegularBelow(int directory, const std::string& path);

}  // namespace ct
