#include "runtimes/cpython/page_cache.h"

#include <gtest/gtest.h>

#include "fake_heap.h"

namespace ct::cpython {
namespace {

TEST(PageCache, ReadsEachPieceOnce) {
  SparseMemory memory;
  for (std::uint64_t i = 0; i < 64 << 10; i += 8) memory.Write(0x10000 + i, i);
  PageCache cache(memory);
  for (std::uint64_t i = 0; i < 64 << 10; i += 8) {
    ASSERT_EQ(cache.ReadValue<std::uint64_t>(0x10000 + i), i);
  }
  EXPECT_EQ(memory.reads, 4u);
}

TEST(PageCache, ReadsWhatIsAroundAHole) {
  SparseMemory memory;
  memory.Write<std::uint64_t>(0x10000, 1);
  memory.Write<std::uint64_t>(0x1fff8, 2);
  PageCache cache(memory);
  EXPECT_EQ(cache.ReadValue<std::uint64_t>(0x10000), 1u);
  EXPECT_EQ(cache.ReadValue<std::uint64_t>(0x1fff8), 2u);
  EXPECT_EQ(cache.ReadValue<std::uint64_t>(0x18000), std::nullopt);
  // Over the end of what is there: the part that is.
  std::array<std::byte, 16> bytes;
  EXPECT_EQ(cache.Read(0x10ff8, bytes), 8u);
  EXPECT_EQ(cache.Read(~0ULL - 3, bytes), 0u);
}

TEST(PageCache, ReadsAcrossPieces) {
  SparseMemory memory;
  memory.Write<std::uint64_t>(0x1fffc, 0x1122334455667788);
  PageCache cache(memory);
  EXPECT_EQ(cache.ReadValue<std::uint64_t>(0x1fffc), 0x1122334455667788u);
}

TEST(PageCache, WhatWasReadFirstMakesRoomAndMoreThanTheLimitIsNotRead) {
  SparseMemory memory;
  for (std::uint64_t i = 0; i < 8; ++i) memory.Write(i << 14, i);
  PageCache cache(memory, {.kept = 32 << 10, .total = 128 << 10});
  for (std::uint64_t i = 0; i < 7; ++i) {
    EXPECT_EQ(cache.ReadValue<std::uint64_t>(i << 14), i);
  }
  memory.Write<std::uint64_t>(5 << 14, 50);
  memory.Write<std::uint64_t>(4 << 14, 40);
  EXPECT_EQ(cache.ReadValue<std::uint64_t>(5 << 14), 5u) << "remembered";
  EXPECT_EQ(cache.ReadValue<std::uint64_t>(4 << 14), 40u) << "read again";
  EXPECT_FALSE(cache.exhausted());
  EXPECT_EQ(cache.ReadValue<std::uint64_t>(6 << 14), 6u);
  EXPECT_EQ(cache.ReadValue<std::uint64_t>(5 << 14), std::nullopt);
  EXPECT_TRUE(cache.exhausted());
  EXPECT_EQ(cache.bytes_read(), 128u << 10);
}

TEST(PageCache, WhatIsForgottenIsReadAgain) {
  SparseMemory memory;
  memory.Write<std::uint64_t>(0x10000, 1);
  PageCache cache(memory);
  EXPECT_EQ(cache.ReadValue<std::uint64_t>(0x10000), 1u);
  memory.Write<std::uint64_t>(0x10000, 2);
  EXPECT_EQ(cache.ReadValue<std::uint64_t>(0x10000), 1u);
  cache.Forget();
  EXPECT_EQ(cache.ReadValue<std::uint64_t>(0x10000), 2u);
}

TEST(PageCache, GivesOutNothingMoreWhenItsTimeIsUp) {
  SparseMemory memory;
  memory.Write<std::uint64_t>(0x10000, 1);
  PageCache cache(memory, {.time = 0});
  std::size_t given = 0;
  for (int i = 0; i < 1000; ++i) given += cache.ReadValue<std::uint64_t>(0x10000) ? 1 : 0;
  EXPECT_LE(given, 64U) << "it looks at the clock now and then";
  EXPECT_TRUE(cache.late());
  PageCache timely(memory, {.time = 3600 * kSecond});
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(timely.ReadValue<std::uint64_t>(0x10000), 1U);
  EXPECT_FALSE(timely.late());
}

}  // namespace
}  // namespace ct::cpython
