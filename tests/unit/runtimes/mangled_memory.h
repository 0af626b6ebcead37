// Memory that is not what it should be: by seeds, so that the same seed gives the same each time.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "target/memory.h"

namespace ct {

inline std::uint64_t Mix(std::uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
  return x ^ x >> 31;
}

// Some words are other words, or the same with a bit flipped.
class MangledMemory final : public Memory {
 public:
  MangledMemory(Memory& memory, std::uint64_t seed, std::uint64_t one_in)
      : memory_(memory), seed_(seed), one_in_(one_in) {}
  std::size_t Read(std::uint64_t address, std::span<std::byte> out) override {
    const std::size_t got = memory_.Read(address, out);
    for (std::size_t i = (8 - address % 8) % 8; i + 8 <= got; i += 8) {
      const std::uint64_t random = Mix((address + i) ^ seed_);
      if (random % one_in_ != 0) continue;
      std::uint64_t word = 0;
      std::memcpy(&word, out.data() + i, 8);
      const std::uint64_t choice = Mix(random);
      if (choice % 4 == 0) word ^= 1ULL << (choice >> 8) % 64;
      if (choice % 4 == 1) word = last_;
      if (choice % 4 == 2) word = choice;
      if (choice % 4 == 3) word += 8 * ((choice >> 8) % 64) - 256;
      if (word > 4096) last_ = word;
      std::memcpy(out.data() + i, &word, 8);
    }
    return got;
  }

 private:
  Memory& memory_;
  std::uint64_t seed_;
  std::uint64_t one_in_;
  std::uint64_t last_ = 4096;
};

// Some pages cannot be read, are empty, or are others, as if memory were freed and used anew.
class MangledPages final : public Memory {
 public:
  MangledPages(Memory& memory, std::uint64_t seed, std::uint64_t one_in)
      : memory_(memory), seed_(seed), one_in_(one_in) {}
  std::size_t Read(std::uint64_t address, std::span<std::byte> out) override {
    std::size_t done = 0;
    while (done < out.size()) {
      const std::uint64_t at = address + done;
      const std::size_t length = std::min<std::size_t>(out.size() - done, kPage - at % kPage);
      const std::size_t got = ReadInPage(at, out.subspan(done, length));
      done += got;
      if (got < length) break;
    }
    return done;
  }

 private:
  static constexpr std::uint64_t kPage = 4096;
  std::size_t ReadInPage(std::uint64_t at, std::span<std::byte> out) {
    const std::uint64_t random = Mix(at / kPage ^ seed_);
    if (random % one_in_ != 0) return memory_.Read(at, out);
    const std::uint64_t choice = Mix(random);
    if (choice % 3 == 0) return 0;
    if (choice % 3 == 1) {
      std::memset(out.data(), 0, out.size());
      return out.size();
    }
    return memory_.Read(at ^ kPage << (choice >> 8) % 4, out);
  }
  Memory& memory_;
  std::uint64_t seed_;
  std::uint64_t one_in_;
};

}  // namespace ct
