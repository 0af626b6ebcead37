// A process's memory with some of it as it was earlier.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "target/memory.h"

namespace ct {

// Where a copy was added the copy is read, elsewhere `base`. `base` must outlive it.
class OverlayMemory final : public Memory {
 public:
  explicit OverlayMemory(Memory& base) : base_(base) {}

  // Of copies that overlap, the one that was added first is read.
  void Add(std::uint64_t address, const std::string& bytes);
  // From here to `end` nothing can be read but copies: what is there now is not what was.
  void Forbid(std::uint64_t begin, std::uint64_t end);

  std::size_t Read(std::uint64_t address, std::span<std::byte> out) override;

 private:
  // How much from `address` on, at most `size`, lies in no copy and is not forbidden.
  [[nodiscard]] std::size_t Uncovered(std::uint64_t address, std::size_t size) const;

  Memory& base_;
  std::map<std::uint64_t, std::string> copies_;
  std::uint64_t forbidden_begin_ = 0;
  std::uint64_t forbidden_end_ = 0;
};

}  // namespace ct
