#include "target/proc_dir.h"

#include <fcntl.h>

#include <array>
#include <cerrno>

#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

namespace ct {

Result<UniqueFd> OpenRegularBelow(int directory, const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  UniqueFd fd(static_cast<int>(syscall(SYS_openat2, directory, path.c_str(), &how, sizeof(how))));
  if (!fd.ok()) return FailErrno("opening " + path, errno);
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return FailErrno("fstat of " + path, errno);
  if (!S_ISREG(status.st_mode)) return Fail(ErrorCode::kMalformed, path + " is no regular file");
  return fd;
}

Result<ProcDir> ProcDir::Open(pid_t pid) {
  const std::string path = fmt::format("/proc/{}", pid);
  UniqueFd fd(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.ok()) return FailErrno(path, errno);
  return ProcDir(std::move(fd));
}

Result<std::string> ProcDir::ReadFile(const char* name, std::size_t limit) const {
  const UniqueFd fd(openat(directory_.get(), name, O_RDONLY | O_CLOEXEC));
  if (!fd.ok()) return FailErrno(name, errno);
  std::string text;
  constexpr std::size_t kChunk = 64 << 10;
  while (text.size() < limit) {
    const std::size_t old_size = text.size();
    text.resize(old_size + std::min(kChunk, limit - old_size));
    const ssize_t got = read(fd.get(), text.data() + old_size, text.size() - old_size);
    if (got < 0) return FailErrno(name, errno);
    text.resize(old_size + static_cast<std::size_t>(got));
    if (got == 0) break;
  }
  return text;
}

Result<std::string> ProcDir::ReadLink(const char* name) const {
  std::array<char, 4096> buffer;
  const ssize_t length = readlinkat(directory_.get(), name, buffer.data(), buffer.size());
  if (length < 0) return FailErrno(name, errno);
  return std::string(buffer.data(), static_cast<std::size_t>(length));
}

Result<UniqueFd> ProcDir::OpenExecutable() const {
  UniqueFd fd(openat(directory_.get(), "exe", O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.ok()) return FailErrno("exe", errno);
  return fd;
}

Result<UniqueFd> ProcDir::OpenMapped(std::uint64_t begin, std::uint64_t end) const {
  const std::string name = fmt::format("map_files/{:x}-{:x}", begin, end);
  // A device or a pipe can be mapped too, and opening one may have effects: look before opening.
  struct stat status {};
  if (fstatat(directory_.get(), name.c_str(), &status, 0) != 0) return FailErrno(name, errno);
  if (!S_ISREG(status.st_mode)) return Fail(ErrorCode::kMalformed, name + " is no regular file");
  UniqueFd fd(openat(directory_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.ok()) return FailErrno(name, errno);
  return fd;
}

Result<UniqueFd> ProcDir::OpenBelowRoot(const std::string& path) const {
  const UniqueFd root(openat(directory_.get(), "root", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.ok()) return FailErrno("root", errno);
  return OpenRegularBelow(root.get(), path);
}

}  // namespace ct
