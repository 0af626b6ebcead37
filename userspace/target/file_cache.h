// CachedFiles shared by all targets of one reader process.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include <sys/stat.h>

#include "target/cached_file.h"
#include "target/target.h"

namespace ct {

// Which file, and which state of it. A build-id alone would let one process choose what another
// one's module means.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;  // realtime
  std::int64_t changed_ns = 0;   // realtime; cannot be set by the file's owner
  bool operator==(const FileIdentity&) const = default;
  static FileIdentity Of(const struct stat& status);
};

class FileCache {
 public:
  explicit FileCache(FileCacheOptions options) : options_(std::move(options)) {}

  // The file, read from `source` if it is not in the cache. nullptr if it is no ELF file that we
  // understand; that is remembered too.
  std::shared_ptr<CachedFile> Get(const FileIdentity& identity, ByteSource& source);
  // Makes room: clears the files that were used least recently while there is more than allowed.
  // No UnwindTable or SymbolTable may be in use.
  void Trim();
  [[nodiscard]] const FileCacheOptions& options() const { return options_; }
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct Hash {
    std::size_t operator()(const FileIdentity& identity) const;
  };
  struct Entry {
    std::shared_ptr<CachedFile> file;
    std::uint64_t last_use = 0;
  };
  FileCacheOptions options_;
  std::unordered_map<FileIdentity, Entry, Hash> files_;
  std::uint64_t uses_ = 0;
};

}  // namespace ct
