#include "target/memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace ct {

std::optional<std::string> Memory::ReadString(std::uint64_t address, std::size_t limit) {
  std::string text;
  std::array<std::byte, 64> chunk;
  while (text.size() < limit) {
    const std::size_t want = std::min(chunk.size(), limit - text.size());
    const std::size_t got = Read(address + text.size(), std::span(chunk).first(want));
    if (got == 0) return std::nullopt;
    const auto* chars = reinterpret_cast<const char*>(chunk.data());
    const std::size_t length = strnlen(chars, got);
    text.append(chars, length);
    if (length < got) return text;
  }
  return std::nullopt;
}

std::size_t ProcessMemory::Read(std::uint64_t address, std::span<std::byte> out) {
  if (!file_.ok()) Open();
  const std::size_t got = ReadFile(address, out);
  if (got > 0 || !file_.ok()) return got;
  // The file belongs to the memory that the process had when it was opened: after an exec it is
  // empty for ever. One more try with the memory of now.
  Open();
  return ReadFile(address, out);
}

void ProcessMemory::Open() {
  file_.Reset(open(("/proc/" + std::to_string(pid_) + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
}

std::size_t ProcessMemory::ReadFile(std::uint64_t address, std::span<std::byte> out) const {
  std::size_t done = 0;
  while (file_.ok() && done < out.size()) {
    // Offsets are signed: an address in the upper half is no user address and reads as nothing.
    const ssize_t got = pread(file_.get(), out.data() + done, out.size() - done,
                              static_cast<off_t>(address + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;  // mem_rw returns what it could read before the first bad page
    done += static_cast<std::size_t>(got);
  }
  return done;
}

}  // namespace ct
