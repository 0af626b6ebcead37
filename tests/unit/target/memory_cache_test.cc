#include "target/memory_cache.h"

#include <vector>

#include <gtest/gtest.h>

namespace ct {
namespace {

// Readable memory in [begin, end): each byte is the low byte of its address.
class Region final : public Memory {
 public:
  Region(std::uint64_t begin, std::uint64_t end) : begin_(begin), end_(end) {}
  std::size_t Read(std::uint64_t address, std::span<std::byte> out) override {
    ++reads;
    std::size_t done = 0;
    while (done < out.size() && address + done >= begin_ && address + done < end_) {
      out[done] = static_cast<std::byte>(address + done);
      ++done;
    }
    return done;
  }
  int reads = 0;

 private:
  std::uint64_t begin_;
  std::uint64_t end_;
};

constexpr std::uint64_t kBegin = 0x10000;
constexpr std::uint64_t kEnd = 0x90000;

TEST(MemoryCache, ReadsADeepStackInFewPieces) {
  Region region(kBegin, kEnd);
  MemoryCache cache(region);
  for (std::uint64_t address = kBegin; address < kEnd; address += 8) {
    std::uint64_t value = 0;
    ASSERT_TRUE(cache.ReadWord(address, value));
    ASSERT_EQ(value & 0xff, address & 0xff);
  }
  EXPECT_LT(region.reads, 10);
}

TEST(MemoryCache, JoinsPiecesAndStopsAtTheEnd) {
  Region region(kBegin, kEnd);
  MemoryCache cache(region);
  std::uint64_t value = 0;
  EXPECT_TRUE(cache.ReadWord(kBegin + 0x1ffc, value));  // across the end of the first piece
  EXPECT_EQ(value, 0x03020100fffefdfcULL);
  std::vector<std::byte> all(kEnd - kBegin + 100);
  EXPECT_EQ(cache.Read(kBegin, all), kEnd - kBegin);
  EXPECT_FALSE(cache.ReadWord(kEnd - 4, value));
  EXPECT_FALSE(cache.ReadWord(0, value));
  EXPECT_FALSE(cache.ReadWord(~0ULL - 3, value));
}

TEST(MemoryCache, HasALimit) {
  Region region(0, 1ULL << 40);
  MemoryCache cache(region);
  std::vector<std::byte> all(64 << 20);
  EXPECT_LE(cache.Read(0, all), 8u << 20);
}

}  // namespace
}  // namespace ct
