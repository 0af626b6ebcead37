// Who an RLock names as its owner may have ended.
#include "runtimes/cpython/thread_locks.h"

#include <gtest/gtest.h>

#include "fake_heap.h"

namespace ct::cpython {
namespace {

constexpr std::uint64_t kSelfOfGlibc = 16;
constexpr std::uint64_t kTidOfGlibc = 720;

TEST(OwnerOfALock, LivesWhileItsDescriptorIsThere) {
  FakeHeap fake;
  const Address glibc = fake.New(1024, 0);
  fake.memory.Write(glibc, glibc);
  fake.memory.Write(glibc + kSelfOfGlibc, glibc);
  fake.memory.Write<std::int32_t>(glibc + kTidOfGlibc, 4243);
  EXPECT_TRUE(MayLive(fake.heap, glibc));
  // musl's has other fields there.
  const Address musl = fake.New(1024, 0);
  fake.memory.Write(musl, musl);
  EXPECT_TRUE(MayLive(fake.heap, musl));
}

TEST(OwnerOfALock, HasEndedOnceTheKernelHasClearedItsTid) {
  FakeHeap fake;
  const Address kept = fake.New(1024, 0);  // for the next thread
  fake.memory.Write(kept, kept);
  fake.memory.Write(kept + kSelfOfGlibc, kept);
  EXPECT_FALSE(MayLive(fake.heap, kept));
  fake.memory.Write<std::int32_t>(kept + kTidOfGlibc, -1);  // joined
  EXPECT_FALSE(MayLive(fake.heap, kept));
}

TEST(OwnerOfALock, HasEndedWhereItsMemoryIsGoneOrSomethingElse) {
  FakeHeap fake;
  EXPECT_FALSE(MayLive(fake.heap, 0x7f0000000000));
  EXPECT_FALSE(MayLive(fake.heap, fake.New(1024, 0)));
}

}  // namespace
}  // namespace ct::cpython
