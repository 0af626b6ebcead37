#include "target/memory.h"

#include <algorithm>

#include <sys/uio.h>

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
  // process_vm_readv stops at the first unreadable page of a remote element but only reports whole
  // elements: one element a page makes it report all that is readable.
  constexpr std::size_t kPage = 4096;
  constexpr std::size_t kMaxElements = 64;
  std::size_t done = 0;
  while (done < out.size()) {
    std::array<iovec, kMaxElements> remote;
    std::size_t elements = 0;
    std::size_t want = 0;
    while (elements < kMaxElements && done + want < out.size()) {
      const std::uint64_t at = address + done + want;
      const std::size_t to_page_end = kPage - at % kPage;
      const std::size_t length = std::min(to_page_end, out.size() - done - want);
      // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of another process.
      remote[elements++] = {reinterpret_cast<void*>(at), length};
      want += length;
    }
    iovec local{out.data() + done, want};
    const ssize_t got = process_vm_readv(pid_, &local, 1, remote.data(), elements, 0);
    if (got <= 0) return done;
    done += static_cast<std::size_t>(got);
    if (static_cast<std::size_t>(got) < want) return done;
  }
  return done;
}

}  // namespace ct
