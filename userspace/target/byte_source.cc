#include "target/byte_source.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sys/stat.h>

namespace ct {

std::optional<Bytes> ByteSource::ReadRange(std::uint64_t offset, std::uint64_t length,
                                           std::uint64_t limit) {
  if (length > limit || offset > size() || length > size() - offset) return std::nullopt;
  Bytes bytes(length);
  if (ReadAt(offset, bytes) != length) return std::nullopt;
  return bytes;
}

Result<FileSource> FileSource::Open(UniqueFd fd) {
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return FailErrno("fstat", errno);
  if (!S_ISREG(status.st_mode)) return Fail(ErrorCode::kMalformed, "no regular file");
  return FileSource(std::move(fd), static_cast<std::uint64_t>(status.st_size));
}

std::size_t FileSource::ReadAt(std::uint64_t offset, std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got =
        pread(fd_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

std::size_t BufferSource::ReadAt(std::uint64_t offset, std::span<std::byte> out) {
  if (out.empty() || offset >= bytes_.size()) return 0;
  const std::size_t length = std::min<std::uint64_t>(out.size(), bytes_.size() - offset);
  std::memcpy(out.data(), bytes_.data() + offset, length);
  return length;
}

}  // namespace ct
