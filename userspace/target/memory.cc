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
  bool gone = false;
  const std::size_t got = ReadFile(address, out, gone);
  if (!gone) return got;
  // One more try with the memory of now.
  Open();
  return ReadFile(address, out, gone);
}

void ProcessMemory::Open() {
  file_.Reset(open(("/proc/" + std::to_string(pid_) + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
}

std::size_t ProcessMemory::ReadFile(std::uint64_t address, std::span<std::byte> out,
                                    bool& gone) const {
  std::size_t done = 0;
  while (file_.ok() && done < out.size()) {
    // Offsets are signed: an address in the upper half is no user address and reads as nothing.
    const ssize_t got = pread(file_.get(), out.data() + done, out.size() - done,
                              static_cast<off_t>(address + done));
    if (got < 0 && errno == EINTR) continue;
    // mem_rw (fs/proc/base.c) returns what it could read before the first bad page, EIO at a bad
    // page, and nothing once nobody has this memory any more: that is so after an exec.
    gone = got == 0 && done == 0;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

}  // namespace ct
