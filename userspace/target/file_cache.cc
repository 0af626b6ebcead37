#include "target/file_cache.h"

#include <algorithm>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"

namespace ct {
namespace {

constexpr std::size_t kMaxFiles = 8192;
constexpr std::size_t kPerFile = 4096;  // headers, section names, the entry itself

std::int64_t Nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * kSecond + time.tv_nsec;
}

}  // namespace

FileIdentity FileIdentity::Of(const struct stat& status) {
  return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size),
          Nanoseconds(status.st_mtim), Nanoseconds(status.st_ctim)};
}

std::size_t FileCache::Hash::operator()(const FileIdentity& identity) const {
  return HashCombine(HashCombine(identity.device, identity.inode),
                     static_cast<std::uint64_t>(identity.changed_ns));
}

std::shared_ptr<CachedFile> FileCache::Get(const FileIdentity& identity, ByteSource& source) {
  const auto [found, is_new] = files_.try_emplace(identity);
  Entry& entry = found->second;
  entry.last_use = ++uses_;
  if (is_new) {
    if (auto elf = ElfFile::Read(source)) {
      entry.file = std::make_shared<CachedFile>(std::move(*elf), options_.debug_root);
    }
  }
  return entry.file;
}

std::size_t FileCache::bytes() const {
  std::size_t total = 0;
  for (const auto& [identity, entry] : files_) {
    total += kPerFile + (entry.file ? entry.file->bytes() : 0);
  }
  return total;
}

void FileCache::Trim() {
  std::size_t total = bytes();
  if (total <= options_.max_bytes && files_.size() <= kMaxFiles) return;
  std::vector<std::pair<std::uint64_t, FileIdentity>> by_age;
  by_age.reserve(files_.size());
  for (const auto& [identity, entry] : files_) by_age.emplace_back(entry.last_use, identity);
  std::sort(by_age.begin(), by_age.end(),
            [](const auto& left, const auto& right) { return left.first < right.first; });
  for (const auto& [last_use, identity] : by_age) {
    if (total <= options_.max_bytes && files_.size() <= kMaxFiles) return;
    const auto found = files_.find(identity);
    std::shared_ptr<CachedFile>& file = found->second.file;
    if (file) {
      total -= file->bytes();
      file->Clear();
    }
    // A target still uses it: it stays, so that both go on sharing it.
    if (file.use_count() > 1) continue;
    total -= kPerFile;
    files_.erase(found);
  }
}

std::shared_ptr<FileCache> MakeFileCache(FileCacheOptions options) {
  return std::make_shared<FileCache>(std::move(options));
}

}  // namespace ct
