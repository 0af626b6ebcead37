#include "locks/guard_scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/locks/fakes.h"

namespace ct {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t kLock = 0x55550000abc0;

struct GuardScan : testing::Test {
  // A live stack of `size` zero bytes whose sp is `sp`.
  ThreadStack Stack(pid_t tid, std::uint64_t sp, std::uint64_t size) {
    memory.Map(sp, size);
    ThreadStack stack;
    stack.ns_tid = tid;
    stack.registers.dwarf[kRsp] = sp;
    stack.end = sp + size;
    return stack;
  }
  FakeMemory memory;
};

TEST_F(GuardScan, FindsTheOnlyStackThatRefersToTheLock) {
  const std::vector<ThreadStack> threads{Stack(1, 0x10000, 8192), Stack(2, 0x20000, 8192)};
  memory.Write(0x20000 + 8192 - 8, kLock);
  const ReferrerScan scan = FindReferrers(kLock, threads, memory);
  EXPECT_THAT(scan.referrers, ElementsAre(2));
  EXPECT_EQ(scan.truncated + scan.unreadable + scan.not_scanned, 0u);
}

TEST_F(GuardScan, ListsAllWhoRefer) {
  std::vector<ThreadStack> threads{Stack(1, 0x10000, 64), Stack(2, 0x20000, 64)};
  memory.Write(0x10000, kLock);
  threads[1].registers.dwarf[kRbx] = kLock;
  EXPECT_THAT(FindReferrers(kLock, threads, memory).referrers, ElementsAre(1, 2));
}

TEST_F(GuardScan, WantsTheExactAddressInAnAlignedWordOfTheLivePart) {
  const std::vector<ThreadStack> threads{Stack(1, 0x10000, 64)};
  memory.Map(0x10000 - 64, 64);
  memory.Write(0x10000 - 8, kLock);  // left behind by a function that has returned
  memory.Write(0x10000 + 4, kLock);  // not aligned
  memory.Write(0x10000 + 24, kLock + 8);
  EXPECT_THAT(FindReferrers(kLock, threads, memory).referrers, IsEmpty());
}

TEST_F(GuardScan, SaysWhatItDidNotRead) {
  std::vector<ThreadStack> threads{Stack(1, 0x100000, kGuardScanBytes + 8), Stack(2, 0x20000, 64),
                                   Stack(3, 0x30000, 64)};
  memory.Write(0x100000 + kGuardScanBytes, kLock);  // a word too deep
  threads[1].end += 8;                              // not mapped
  threads[2].end = 0x1000;                          // below sp: a stack of its own making
  const ReferrerScan scan = FindReferrers(kLock, threads, memory);
  EXPECT_THAT(scan.referrers, IsEmpty());
  EXPECT_EQ(scan.truncated, 1u);
  EXPECT_EQ(scan.unreadable, 2u);
}

TEST_F(GuardScan, IsBounded) {
  ThreadStack endless;
  endless.end = UINT64_MAX;
  const std::vector<ThreadStack> threads(kGuardScanThreads + 3, endless);
  const ReferrerScan scan = FindReferrers(kLock, threads, memory);
  EXPECT_EQ(scan.not_scanned, 3u);
  EXPECT_EQ(scan.unreadable, kGuardScanThreads);
  EXPECT_LE(memory.reads, kGuardScanThreads);
}

}  // namespace
}  // namespace ct
