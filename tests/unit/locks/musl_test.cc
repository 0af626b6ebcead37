// musl 1.2's objects, written down byte by byte.
#include <gtest/gtest.h>

#include "tests/unit/locks/fakes.h"

namespace ct {
namespace {

constexpr std::uint64_t kObject = 0x7f0000001000;
constexpr pid_t kOwner = 812;
constexpr std::uint32_t kWaiters = 0x80000000;

struct MuslTest : testing::Test {
  MuslTest() {
    scene.threads.same_space = {1, kOwner, 813};
    scene.modules = {{"/lib/ld-musl-x86_64.so.1", "", false}};
    scene.memory.Map(kObject - 64, 256);
  }
  void WriteMutex(std::uint32_t type, std::uint32_t lock) {
    scene.memory.WriteAll<std::uint32_t>(kObject, {type, lock, 1});
    scene.Futex(kObject + 4, kWaitPrivate, lock);
  }
  Scene scene;
};

TEST_F(MuslTest, TypedMutexNamesItsOwner) {
  scene.frames = Frames({"__timedwait_cp", "__timedwait", "__pthread_mutex_timedlock", "f"});
  WriteMutex(1, kWaiters | kOwner);
  const auto reading = scene.Decode();
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->kind, ResourceKind::kMutex);
  EXPECT_EQ(reading->implementation, Implementation::kMusl);
  EXPECT_EQ(reading->type, "pthread_mutex_t (recursive)");
  EXPECT_EQ(reading->object, kObject);
  EXPECT_EQ(reading->futex_word, kObject + 4);
  EXPECT_EQ(reading->owner_ns_tid, kOwner);
  EXPECT_TRUE(reading->holders_known);
  EXPECT_EQ(reading->purpose, WaitPurpose::kAcquire);
  EXPECT_EQ(reading->evidence, Evidence::kCertain);
}

TEST_F(MuslTest, PlainMutexKeepsNoOwner) {
  scene.frames = Frames({"__timedwait_cp", "__timedwait", "__pthread_mutex_timedlock", "f"});
  WriteMutex(0, kWaiters | 16);
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kMutex);
  EXPECT_EQ(reading->owner_ns_tid, 0);
  EXPECT_FALSE(reading->holders_known);
  EXPECT_EQ(reading->evidence, Evidence::kCertain);
}

TEST_F(MuslTest, MutexWithoutFramesIsProbableIfItsOwnerLives) {
  WriteMutex(2, kWaiters | kOwner);
  EXPECT_EQ(scene.Decode()->type, "pthread_mutex_t (error-checking)");
  EXPECT_EQ(scene.Decode()->evidence, Evidence::kProbable);
  WriteMutex(2, kWaiters | 4711);
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kFutex);
}

TEST_F(MuslTest, RobustMutexOfADeadOwner) {
  scene.frames = Frames({"__timedwait_cp", "__timedwait", "__pthread_mutex_timedlock", "f"});
  WriteMutex(4, kWaiters | kOwner);
  EXPECT_TRUE(scene.Decode()->robust);
  EXPECT_EQ(scene.Decode()->type, "pthread_mutex_t (robust)");
  EXPECT_FALSE(scene.Decode()->owner_died);
}

TEST_F(MuslTest, OtherWaitsAreToldByTheirFunctions) {
  struct Case {
    const char* function;
    std::uint32_t value;
    ResourceKind kind;
    WaitPurpose purpose;
    const char* type;
  };
  for (const Case& test : {
           Case{"sem_timedwait", 0xffffffff, ResourceKind::kSemaphore, WaitPurpose::kEvent,
                "sem_t"},
           Case{"__pthread_cond_timedwait", 2, ResourceKind::kCondition, WaitPurpose::kEvent,
                "pthread_cond_t"},
           Case{"pthread_barrier_wait", 0, ResourceKind::kBarrier, WaitPurpose::kEvent,
                "pthread_barrier_t"},
           Case{"__pthread_once_full", 3, ResourceKind::kOnce, WaitPurpose::kEvent,
                "pthread_once_t"},
           Case{"__pthread_rwlock_timedwrlock", 0x80000002, ResourceKind::kRwLock,
                WaitPurpose::kAcquire, "pthread_rwlock_t"},
           Case{"malloc", 0x80000001, ResourceKind::kMallocArena, WaitPurpose::kAcquire,
                "malloc lock"},
       }) {
    scene.memory.Write<std::uint32_t>(kObject, test.value);
    scene.Futex(kObject, kWaitPrivate, test.value);
    scene.frames = Frames({"__timedwait_cp", test.function, "f"});
    const auto reading = scene.Decode();
    EXPECT_EQ(reading->kind, test.kind) << test.function;
    EXPECT_EQ(reading->purpose, test.purpose) << test.function;
    EXPECT_EQ(reading->type, test.type);
    EXPECT_EQ(reading->implementation, Implementation::kMusl) << test.function;
    EXPECT_EQ(reading->owner_ns_tid, 0);
  }
}

TEST_F(MuslTest, FileLockNamesItsOwner) {
  scene.memory.Write<std::uint32_t>(kObject, 0x40000000u | kOwner);
  scene.Futex(kObject, kWaitPrivate, 0x40000000u | kOwner);
  scene.frames = Frames({"__futexwait", "__lockfile", "fwrite", "f"});
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kStdioLock);
  EXPECT_EQ(reading->owner_ns_tid, kOwner);
  EXPECT_TRUE(reading->holders_known);
  EXPECT_EQ(reading->evidence, Evidence::kCertain);
}

TEST_F(MuslTest, JoinFindsTheThreadOfTheDescriptor) {
  const std::uint64_t descriptor = kObject;
  scene.threads.thread_pointers = {{descriptor, kOwner}};
  scene.memory.Write<std::uint32_t>(descriptor + 48, kOwner);
  scene.memory.Write<std::uint32_t>(descriptor + 56, 2);  // DT_JOINABLE
  scene.Futex(descriptor + 56, kWaitPrivate, 2);
  scene.frames = Frames({"__timedwait_cp", "__pthread_timedjoin_np", "__pthread_join", "f"});
  auto reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kThreadExit);
  EXPECT_EQ(reading->purpose, WaitPurpose::kJoin);
  EXPECT_EQ(reading->owner_ns_tid, kOwner);
  EXPECT_EQ(reading->evidence, Evidence::kCertain);
  scene.frames = Frames({"__syscall_cp_c"});
  reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kThreadExit);
  EXPECT_EQ(reading->owner_ns_tid, kOwner);
  EXPECT_EQ(reading->evidence, Evidence::kProbable);
}

}  // namespace
}  // namespace ct
