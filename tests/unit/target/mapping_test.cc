#include "target/mapping.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>

namespace ct {
namespace {

constexpr std::size_t kNoLimit = 1000;

TEST(ParseMaps, ReadsWhatTheKernelWrites) {
  const auto mappings = ParseMaps(
      "55d0c0000000-55d0c0001000 r-xp 00002000 fe:01 1234    /opt/a program\n"
      "7ffe00000000-7ffe00021000 rw-p 00000000 00:00 0       [stack]\n"
      "7fff00000000-7fff00001000 rw-s 00001000 00:05 77      /dev/shm/x (deleted)\n"
      "7fff00002000-7fff00003000 ---p 00000000 00:00 0 \n",
      kNoLimit);
  const std::vector<Mapping> expected = {
      {.begin = 0x55d0c0000000,
       .end = 0x55d0c0001000,
       .file_offset = 0x2000,
       .device = makedev(0xfe, 1),
       .inode = 1234,
       .readable = true,
       .executable = true,
       .path = "/opt/a program"},
      {.begin = 0x7ffe00000000,
       .end = 0x7ffe00021000,
       .readable = true,
       .writable = true,
       .path = "[stack]"},
      {.begin = 0x7fff00000000,
       .end = 0x7fff00001000,
       .file_offset = 0x1000,
       .device = makedev(0, 5),
       .inode = 77,
       .readable = true,
       .writable = true,
       .shared = true,
       .deleted = true,
       .path = "/dev/shm/x"},
      {.begin = 0x7fff00002000, .end = 0x7fff00003000, .path = ""},
  };
  EXPECT_EQ(mappings, expected);
}

TEST(ParseMaps, LeavesOutWhatMakesNoSense) {
  const auto mappings = ParseMaps(
      "garbage\n"
      "\n"
      "2000-1000 r--p 0 00:00 0\n"                     // ends before it begins
      "1000-2000 r--p 00000000 00:00 0 \n"             // the only good one
      "1800-2800 r--p 00000000 00:00 0 overlapping\n"  //
      "fffffffffffffffff-2 r--p 00000000 00:00 0\n"    // more than 64 bits
      "3000-4000 r--p 00000000 00:00",                 // cut off
      kNoLimit);
  ASSERT_EQ(mappings.size(), 1u);
  EXPECT_EQ(mappings[0].begin, 0x1000u);
  EXPECT_EQ(mappings[0].end, 0x2000u);
}

TEST(ParseMaps, StopsAtTheLimit) {
  EXPECT_EQ(ParseMaps("1000-2000 r--p 0 00:00 0\n2000-3000 r--p 0 00:00 0\n", 1).size(), 1u);
}

TEST(FindMapping, KnowsBordersAndGaps) {
  const std::vector<Mapping> mappings = {{.begin = 0x1000, .end = 0x2000, .path = "first"},
                                         {.begin = 0x3000, .end = 0x4000, .path = "second"}};
  EXPECT_EQ(FindMapping(mappings, 0xfff), nullptr);
  EXPECT_EQ(FindMapping(mappings, 0x1000), &mappings[0]);
  EXPECT_EQ(FindMapping(mappings, 0x1fff), &mappings[0]);
  EXPECT_EQ(FindMapping(mappings, 0x2000), nullptr);
  EXPECT_EQ(FindMapping(mappings, 0x3fff), &mappings[1]);
  EXPECT_EQ(FindMapping(mappings, 0x4000), nullptr);
  EXPECT_EQ(FindMapping({}, 0x1000), nullptr);
}

}  // namespace
}  // namespace ct
