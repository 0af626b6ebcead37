// The tables are those of this function, compiled by CPython 3.11.2; what they mean is what its
// co_lines() and dis say.
//
//   def f(a):
//       with a as b:
//           for x in (
//               b):
//               try:
//                   x()
//               finally:
//                   b(
//                     1,
//                     x)
//       return [
//          i for i in a]
#include "runtimes/cpython/tables.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace ct::cpython {
namespace {

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

const std::string kLines = FromHex(
    "8000d8090af0000805158861e00c0df003070915f0000709158841f004050d15d810119001910394039003e0"
    "10119001d81213d81213f105021115f400021115f000021115f000021115f890019001d81213d81213f10502"
    "1115f400021115f000021115f000021115f8f8f8f00b070915f003080515f000080515f000080515f1000805"
    "15f400080515f000080515f000080515f000080515f000080515f000080515f000080515f8f8f8f000080515"
    "f000080515f000080515f000080515f012010c15f000010c15d81213f003010c15f100010c15f400010c15f0"
    "00010515");
const std::string kExceptions =
    FromHex("83053e03890a2004930d3e03a00e2e07ae033e03be04410207c10501410207");

struct Range {
  std::uint64_t begin, end;
  std::uint32_t value;
};

TEST(LineAt, IsWhatCoLinesSays) {
  const std::vector<Range> ranges = {
      {0, 2, 1},     {2, 8, 2},     {8, 10, 4},     {10, 16, 3},    {16, 18, 5},   {18, 38, 6},
      {38, 42, 8},   {42, 44, 9},   {44, 46, 10},   {46, 64, 8},    {64, 66, 0},   {66, 70, 8},
      {70, 72, 9},   {72, 74, 10},  {74, 92, 8},    {92, 98, 0},    {98, 100, 3},  {100, 132, 2},
      {132, 138, 0}, {138, 146, 2}, {146, 150, 11}, {150, 152, 12}, {152, 170, 11}};
  for (const Range& range : ranges) {
    for (std::uint64_t at = range.begin; at < range.end; at += 2) {
      EXPECT_EQ(LineAt(kLines, 1, at), range.value) << at;
      EXPECT_EQ(LineAt(kLines, 1001, at), range.value == 0 ? 0 : range.value + 1000) << at;
    }
  }
}

TEST(LineAt, IsUnknownBeyondTheTable) {
  EXPECT_EQ(LineAt(kLines, 1, 170), 0u);
  EXPECT_EQ(LineAt(kLines, 1, ~0ULL), 0u);
  EXPECT_EQ(LineAt("", 1, 0), 0u);
}

TEST(LineAt, EndsOnEveryCutOrMangledTable) {
  for (std::size_t length = 0; length < kLines.size(); ++length) {
    std::string mangled = kLines.substr(0, length);
    LineAt(mangled, 1, 160);
    mangled.append(8, '\xff');
    LineAt(mangled, 1, 160);
    mangled.append(8, '\xf0');  // a long entry without its numbers
    LineAt(mangled, 0xffffffff, 160);
  }
}

TEST(HandlerDepthAt, IsWhatDisSays) {
  const std::vector<Range> ranges = {{6, 16, 1},  {18, 38, 2},   {38, 64, 1},  {64, 92, 3},
                                     {92, 98, 1}, {124, 132, 3}, {138, 140, 3}};
  for (std::uint64_t at = 0; at < 170; at += 2) {
    std::optional<std::uint32_t> expected;
    for (const Range& range : ranges) {
      if (at >= range.begin && at < range.end) expected = range.value;
    }
    EXPECT_EQ(HandlerDepthAt(kExceptions, at), expected) << at;
  }
}

TEST(HandlerDepthAt, EndsOnEveryCutOrMangledTable) {
  for (std::size_t length = 0; length < kExceptions.size(); ++length) {
    std::string mangled = kExceptions.substr(0, length);
    HandlerDepthAt(mangled, 139);
    mangled.append(20, '\xff');
    HandlerDepthAt(mangled, 139);
  }
  EXPECT_EQ(HandlerDepthAt("", 0), std::nullopt);
}

// with a: try: ... except E as e: ...; the way out of the with statement is behind the except.
TEST(IsInHandler, IsWhatOnlyAnExceptionLeadsTo) {
  for (std::uint64_t at = 0; at < 170; at += 2) {
    EXPECT_EQ(IsInHandler(kExceptions, at), (at >= 64 && at < 92) || (at >= 124 && at < 132)) << at;
  }
  EXPECT_FALSE(IsInHandler("", 0));
}

TEST(IsInHandler, EndsOnEveryCutOrMangledTable) {
  for (std::size_t length = 0; length < kExceptions.size(); ++length) {
    IsInHandler(kExceptions.substr(0, length) + std::string(20, '\xff'), 139);
  }
}

}  // namespace
}  // namespace ct::cpython
