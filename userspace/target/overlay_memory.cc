#include "target/overlay_memory.h"

#include <algorithm>
#include <iterator>

namespace ct {

void OverlayMemory::Add(std::uint64_t address, const std::string& bytes) {
  // Only what no earlier copy covers, so that the pieces never overlap.
  std::size_t done = 0;
  while (done < bytes.size()) {
    const std::uint64_t at = address + done;
    const auto next = copies_.upper_bound(at);
    if (next != copies_.begin()) {
      const auto before = std::prev(next);
      const std::uint64_t skipped = at - before->first;
      if (skipped < before->second.size()) {
        done += before->second.size() - skipped;
        continue;
      }
    }
    std::size_t length = bytes.size() - done;
    if (next != copies_.end()) length = std::min<std::uint64_t>(length, next->first - at);
    copies_.emplace(at, bytes.substr(done, length));
    done += length;
  }
}

void OverlayMemory::Forbid(std::uint64_t begin, std::uint64_t end) {
  forbidden_begin_ = begin;
  forbidden_end_ = std::max(begin, end);
}

std::size_t OverlayMemory::Uncovered(std::uint64_t address, std::size_t size) const {
  if (address >= forbidden_begin_ && address < forbidden_end_) return 0;
  if (address < forbidden_begin_) {
    size = std::min<std::uint64_t>(size, forbidden_begin_ - address);
  }
  const auto next = copies_.upper_bound(address);
  if (next != copies_.end()) size = std::min<std::uint64_t>(size, next->first - address);
  return size;
}

std::size_t OverlayMemory::Read(std::uint64_t address, std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const std::uint64_t at = address + done;
    const std::span<std::byte> rest = out.subspan(done);
    auto copy = copies_.upper_bound(at);
    if (copy != copies_.begin()) {
      --copy;
      const std::uint64_t skipped = at - copy->first;
      if (skipped < copy->second.size()) {
        const std::size_t length =
            std::min<std::size_t>(rest.size(), copy->second.size() - skipped);
        std::memcpy(rest.data(), copy->second.data() + skipped, length);
        done += length;
        continue;
      }
    }
    const std::size_t want = Uncovered(at, rest.size());
    const std::size_t got = want == 0 ? 0 : base_.Read(at, rest.first(want));
    done += got;
    if (want == 0 || got < want) break;
  }
  return done;
}

}  // namespace ct
