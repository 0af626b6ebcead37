#include "snapshot/file.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/unique_fd.h"

namespace ct {
namespace {

// "" for a name without a directory is ".".
std::string DirectoryOf(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// The file under its temporary name, removed again unless it was renamed.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& directory) : name_(directory + "/.ct-snapshot-XXXXXX") {
    // O_CREAT | O_EXCL and mode 0600 are what mkostemp stands for.
    fd_.Reset(mkostemp(name_.data(), O_CLOEXEC | O_NOFOLLOW));
  }
  ~TemporaryFile() {
    if (fd_.ok() && !renamed_) unlink(name_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  TemporaryFile(TemporaryFile&&) = delete;
  TemporaryFile& operator=(TemporaryFile&&) = delete;

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool RenameTo(const std::string& path) {
    renamed_ = rename(name_.c_str(), path.c_str()) == 0;
    return renamed_;
  }

 private:
  std::string name_;
  UniqueFd fd_;
  bool renamed_ = false;
};

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

Status CheckReplaceable(const std::string& path) {
  struct stat existing {};
  if (lstat(path.c_str(), &existing) != 0 || S_ISREG(existing.st_mode)) return {};
  return Fail(ErrorCode::kUsage, path + ": exists and is not a regular file");
}

std::string SafeHost(std::string_view host) {
  constexpr std::size_t kMaxHost = 64;  // HOST_NAME_MAX of Linux
  std::string safe;
  for (const char c : host.substr(0, kMaxHost)) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '_' || c == '.';
    safe += plain ? c : '-';
  }
  const auto first = safe.find_first_not_of(".-");
  if (first == std::string::npos) return "host";
  return safe.substr(first, safe.find_last_not_of(".-") - first + 1);
}

}  // namespace

Status WriteFile(const std::string& path, std::string_view bytes) {
  if (bytes.size() > kMaxSnapshotFileBytes) {
    return Fail(ErrorCode::kIo, path + ": more than 1 GiB, which could not be read again");
  }
  if (auto status = CheckReplaceable(path); !status) return status;
  const std::string directory = DirectoryOf(path);
  TemporaryFile file(directory);
  if (file.fd() < 0) return FailErrno("writing " + path, errno);
  if (!WriteAll(file.fd(), bytes) || fsync(file.fd()) != 0 || !file.RenameTo(path)) {
    return FailErrno("writing " + path, errno);
  }
  // The new name survives a crash only once the directory is synced too. Some file systems cannot;
  // the contents are safe by then.
  const UniqueFd parent(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.ok()) static_cast<void>(fsync(parent.get()));
  return {};
}

Result<std::string> ReadFile(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.ok()) return FailErrno("reading " + path, errno);
  struct stat file {};
  if (fstat(fd.get(), &file) != 0) return FailErrno("reading " + path, errno);
  if (!S_ISREG(file.st_mode)) return Fail(ErrorCode::kUsage, path + ": not a regular file");
  const auto size = static_cast<std::size_t>(file.st_size);
  if (size > kMaxSnapshotFileBytes) {
    return Fail(ErrorCode::kMalformed, path + ": larger than 1 GiB, not a snapshot");
  }
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = read(fd.get(), bytes.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FailErrno("reading " + path, errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

std::string DefaultFileName(std::string_view host, pid_t pid, TimeNs wall) {
  const time_t seconds = wall / kSecond;
  tm date{};
  gmtime_r(&seconds, &date);
  char stamp[] = "YYYYmmddTHHMMSSZ";
  strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &date);
  if (pid == 0) return fmt::format("ct-{}-{}.pb", SafeHost(host), stamp);
  return fmt::format("ct-{}-{}-{}.pb", SafeHost(host), pid, stamp);
}

}  // namespace ct
