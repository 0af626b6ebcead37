// Bytes of a file that nobody vouches for. Files of a target are read, never mapped: a file that is
// truncated while it is mapped kills its reader with SIGBUS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace ct {

using Bytes = std::vector<std::byte>;

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Reads at `offset`; returns how many bytes there were, less than asked only at the end.
  virtual std::size_t ReadAt(std::uint64_t offset, std::span<std::byte> out) = 0;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  // Exactly [offset, offset + length), or nullopt if the source does not have all of it or if it is
  // longer than `limit`: a sparse file of 4 GiB must not cost gigabytes.
  std::optional<Bytes> ReadRange(std::uint64_t offset, std::uint64_t length, std::uint64_t limit);
};

class FileSource final : public ByteSource {
 public:
  static Result<FileSource> Open(UniqueFd fd);  // a regular file
  std::size_t ReadAt(std::uint64_t offset, std::span<std::byte> out) override;
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  FileSource(UniqueFd fd, std::uint64_t size) : fd_(std::move(fd)), size_(size) {}
  UniqueFd fd_;
  std::uint64_t size_;
};

class BufferSource final : public ByteSource {
 public:
  explicit BufferSource(Bytes bytes) : bytes_(std::move(bytes)) {}
  std::size_t ReadAt(std::uint64_t offset, std::span<std::byte> out) override;
  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }

 private:
  Bytes bytes_;
};

}  // namespace ct
