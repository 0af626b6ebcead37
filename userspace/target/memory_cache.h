// What one unwind has read so far: a stack is read in big pieces, not word by word.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "target/memory.h"

namespace ct {

// Reads through to `memory` a few pages at a time and remembers them for its own lifetime, which
// must be short: the target goes on running.
class MemoryCache final : public Memory {
 public:
  explicit MemoryCache(Memory& memory) : memory_(memory) {}
  std::size_t Read(std::uint64_t address, std::span<std::byte> out) override;

  // One aligned or unaligned word; false if unreadable.
  bool ReadWord(std::uint64_t address, std::uint64_t& value) {
    const Chunk* chunk = last_;
    if (chunk == nullptr || address < chunk->begin || address - chunk->begin + 8 > chunk->size ||
        address - chunk->begin > chunk->size) {
      return Read(address, std::as_writable_bytes(std::span(&value, 1))) == sizeof(value);
    }
    std::memcpy(&value, chunk->bytes.get() + (address - chunk->begin), sizeof(value));
    return true;
  }

 private:
  struct Chunk {
    std::uint64_t begin = 0;
    std::size_t size = 0;
    std::unique_ptr<std::byte[]> bytes;
  };
  const Chunk* Find(std::uint64_t address);
  const Chunk* Load(std::uint64_t address);
  // nullptr if the byte at `address` cannot be read from `begin` on.
  const Chunk* LoadFrom(std::uint64_t begin, std::uint64_t address);

  Memory& memory_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  const Chunk* last_ = nullptr;
  std::size_t total_ = 0;
};

}  // namespace ct
