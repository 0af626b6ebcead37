#include "probes/catalog_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/unique_fd.h"

namespace ct {
namespace {

// Of a file or directory that was opened, so that it cannot be another one when it is read.
Status CheckOwner(const std::string& path, const struct stat& status, uid_t owner) {
  if (status.st_uid != owner) {
    return Fail(ErrorCode::kPermission,
                fmt::format("{}: its owner is uid {}, not {}", path, status.st_uid, owner));
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Fail(ErrorCode::kPermission, fmt::format("{}: writable by others than its owner", path));
  }
  return {};
}

Result<std::vector<std::string>> Names(int directory, const std::string& path) {
  const int copy = fcntl(directory, F_DUPFD_CLOEXEC, 0);
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(copy < 0 ? nullptr : fdopendir(copy), closedir);
  if (entries == nullptr) {
    const int saved = errno;
    if (copy >= 0) close(copy);
    return FailErrno(path, saved);
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(entries.get())) {
    const std::string_view name = entry->d_name;
    if (name.starts_with('.') || !name.ends_with(".toml")) continue;
    if (names.size() >= kMaxCatalogFiles) {
      return Fail(ErrorCode::kMalformed,
                  fmt::format("{}: more than {} files", path, kMaxCatalogFiles));
    }
    names.emplace_back(name);
  }
  if (errno != 0) return FailErrno(path, errno);
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::string> ReadFile(int directory, const std::string& name, const std::string& path,
                             uid_t owner) {
  // Not blocking: a pipe without a writer is refused below, not waited for.
  const UniqueFd file(openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.ok()) return FailErrno(path, errno);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return FailErrno(path, errno);
  if (!S_ISREG(status.st_mode)) {
    return Fail(ErrorCode::kMalformed, fmt::format("{}: no regular file", path));
  }
  if (const auto checked = CheckOwner(path, status, owner); !checked) return Fail(checked.error());
  // One byte more than is allowed shows that there is more.
  std::string text(kMaxCatalogFileBytes + 1, '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t got = read(file.get(), text.data() + done, text.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FailErrno(path, errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  if (done > kMaxCatalogFileBytes) {
    return Fail(ErrorCode::kMalformed,
                fmt::format("{}: longer than {} KiB", path, kMaxCatalogFileBytes >> 10));
  }
  text.resize(done);
  return text;
}

}  // namespace

Result<std::vector<CatalogFamily>> LoadCatalogFiles(const std::string& directory, uid_t owner) {
  const UniqueFd opened(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened.ok() && errno == ENOENT) return std::vector<CatalogFamily>{};
  if (!opened.ok()) return FailErrno(directory, errno);
  struct stat status {};
  if (fstat(opened.get(), &status) != 0) return FailErrno(directory, errno);
  if (const auto checked = CheckOwner(directory, status, owner); !checked) {
    return Fail(checked.error());
  }
  const auto names = Names(opened.get(), directory);
  if (!names) return Fail(names.error());
  std::vector<CatalogFamily> families;
  for (const std::string& name : *names) {
    const std::string path = fmt::format("{}/{}", directory, name);
    const auto text = ReadFile(opened.get(), name, path, owner);
    if (!text) return Fail(text.error());
    auto more = ParseCatalog(*text, path);
    if (!more) return Fail(more.error());
    families = Override(std::move(families), std::move(*more));
  }
  return families;
}

}  // namespace ct
