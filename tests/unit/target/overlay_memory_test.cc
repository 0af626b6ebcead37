#include "target/overlay_memory.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace ct {
namespace {

constexpr std::uint64_t kBegin = 0x1000;
constexpr std::uint64_t kEnd = 0x1020;

// Readable in [kBegin, kEnd): one letter a byte, from "a" on. Counts the bytes it is asked for.
// it.
class Base final : public Memory {
 public:
  std::size_t Read(std::uint64_t address, std::span<std::byte> out) override {
    std::size_t done = 0;
    while (done < out.size() && address + done >= kBegin && address + done < kEnd) {
      out[done] = static_cast<std::byte>('a' + (address + done - kBegin));
      ++done;
    }
    asked += out.size();
    return done;
  }
  std::size_t asked = 0;
};

class OverlayMemoryTest : public ::testing::Test {
 protected:
  // What can be read of `size` bytes from kBegin + `offset` on.
  std::string Read(std::int64_t offset, std::size_t size) {
    std::vector<std::byte> bytes(size);
    const std::uint64_t address = kBegin + static_cast<std::uint64_t>(offset);
    const std::size_t done = overlay_.Read(address, bytes);
    EXPECT_LE(done, size);
    std::string text;
    for (std::size_t i = 0; i < done; ++i) text += static_cast<char>(bytes[i]);
    return text;
  }

  Base base_;
  OverlayMemory overlay_{base_};
};

TEST_F(OverlayMemoryTest, WithoutCopiesIsItsBase) {
  EXPECT_EQ(Read(0, 5), "abcde");
  EXPECT_EQ(Read(3, 5), "defgh");
  EXPECT_EQ(Read(-1, 5), "");
  EXPECT_EQ(Read(0, 0), "");
}

TEST_F(OverlayMemoryTest, ReadsTheCopyWhereThereIsOne) {
  overlay_.Add(kBegin + 4, "EFGH");
  EXPECT_EQ(Read(4, 4), "EFGH");
  EXPECT_EQ(Read(5, 2), "FG");
  EXPECT_EQ(base_.asked, 0U);
  EXPECT_EQ(overlay_.ReadValue<char>(kBegin + 7), 'H');
}

TEST_F(OverlayMemoryTest, JoinsCopyAndBase) {
  overlay_.Add(kBegin + 4, "EFGH");
  EXPECT_EQ(Read(0, 4), "abcd");
  EXPECT_EQ(Read(2, 4), "cdEF");
  EXPECT_EQ(Read(6, 4), "GHij");
  EXPECT_EQ(Read(0, 12), "abcdEFGHijkl");
  EXPECT_EQ(Read(8, 2), "ij");
}

TEST_F(OverlayMemoryTest, JoinsTwoCopies) {
  overlay_.Add(kBegin + 8, "IJ");
  overlay_.Add(kBegin + 2, "CD");
  EXPECT_EQ(Read(0, 12), "abCDefghIJkl");
  overlay_.Add(kBegin + 4, "EFGH");
  EXPECT_EQ(Read(0, 12), "abCDEFGHIJkl");
}

TEST_F(OverlayMemoryTest, ReadsTheFirstOfCopiesOfOneAddress) {
  overlay_.Add(kBegin, "12");
  overlay_.Add(kBegin, "34");
  EXPECT_EQ(Read(0, 3), "12c");
}

TEST_F(OverlayMemoryTest, ReadsTheFirstOfCopiesThatOverlap) {
  overlay_.Add(kBegin, "12345678");
  overlay_.Add(kBegin + 4, "xxxxXXXX");
  EXPECT_EQ(Read(0, 12), "12345678XXXX");
  EXPECT_EQ(Read(4, 8), "5678XXXX");
  EXPECT_EQ(Read(6, 1), "7");
}

TEST_F(OverlayMemoryTest, ReadsBeyondACopyThatLiesInAnother) {
  overlay_.Add(kBegin, "12345678");
  overlay_.Add(kBegin + 2, "xx");
  EXPECT_EQ(Read(2, 6), "345678");
  EXPECT_EQ(Read(5, 3), "678");
}

TEST_F(OverlayMemoryTest, TakesAnEmptyCopyForNone) {
  overlay_.Add(kBegin + 1, "");
  EXPECT_EQ(Read(0, 3), "abc");
  overlay_.Add(kBegin + 1, "B");
  EXPECT_EQ(Read(0, 3), "aBc");
}

TEST_F(OverlayMemoryTest, EndsWhereTheBaseEnds) {
  EXPECT_EQ(Read(0x1e, 8), "\x7f\x80");
  overlay_.Add(kBegin - 2, "<<");
  EXPECT_EQ(Read(-2, 5), "<<abc");
  EXPECT_EQ(Read(-3, 5), "");
  // A hole ends a read even where a copy follows.
  overlay_.Add(kEnd + 2, ">>");
  EXPECT_EQ(Read(0x1e, 8), "\x7f\x80");
  EXPECT_EQ(Read(0x22, 8), ">>");
  overlay_.Add(kEnd, "--");
  EXPECT_EQ(Read(0x1e, 8), "\x7f\x80-->>");
}

TEST_F(OverlayMemoryTest, ReadsNothingThatIsForbidden) {
  overlay_.Forbid(kBegin + 4, kBegin + 8);
  EXPECT_EQ(Read(4, 1), "");
  EXPECT_EQ(Read(7, 4), "");
  EXPECT_EQ(Read(0, 8), "abcd");
  EXPECT_EQ(Read(8, 3), "ijk");
}

TEST_F(OverlayMemoryTest, ReadsCopiesOfWhatIsForbidden) {
  overlay_.Forbid(kBegin + 4, kBegin + 12);
  overlay_.Add(kBegin + 4, "EF");
  overlay_.Add(kBegin + 10, "KLMN");
  EXPECT_EQ(Read(0, 12), "abcdEF");
  EXPECT_EQ(Read(5, 4), "F");
  EXPECT_EQ(Read(6, 6), "");
  EXPECT_EQ(Read(10, 6), "KLMNop");
}

TEST_F(OverlayMemoryTest, ForbidsNothingInARangeThatEndsBeforeItBegins) {
  overlay_.Forbid(kBegin + 8, kBegin + 4);
  EXPECT_EQ(Read(0, 12), "abcdefghijkl");
}

}  // namespace
}  // namespace ct
