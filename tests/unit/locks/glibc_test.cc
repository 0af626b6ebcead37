// glibc's objects, written down byte by byte: what must be seen, and what must never be accused.
#include <gtest/gtest.h>

#include "tests/unit/locks/fakes.h"

namespace ct {
namespace {

constexpr std::uint64_t kObject = 0x7f0000001000;
constexpr pid_t kOwner = 812;
constexpr std::uint32_t kRobust = 16;
constexpr std::uint32_t kInherit = 32;
constexpr std::uint32_t kCeiling = 64;
constexpr std::uint32_t kShared = 128;

struct GlibcTest : testing::Test {
  GlibcTest() {
    scene.threads.same_space = {1, kOwner, 813};
    scene.memory.Map(kObject - 64, 256);
  }
  // struct __pthread_mutex_s: lock, count, owner, nusers, kind
  void WriteMutex(std::uint32_t lock, pid_t owner, std::uint32_t users, std::uint32_t kind) {
    scene.memory.WriteAll<std::uint32_t>(kObject,
                                         {lock, 0, static_cast<std::uint32_t>(owner), users, kind});
  }
  Scene scene;
};

struct GlibcMutex : GlibcTest {
  GlibcMutex() {
    scene.frames = Frames({"__lll_lock_wait", "___pthread_mutex_lock", "worker"});
    WriteMutex(2, kOwner, 1, 0);
    scene.Futex(kObject, kWaitPrivate, 2);
  }
};

TEST_F(GlibcMutex, NamesItsOwnerForCertain) {
  const auto reading = scene.Decode();
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->kind, ResourceKind::kMutex);
  EXPECT_EQ(reading->implementation, Implementation::kGlibc);
  EXPECT_EQ(reading->type, "pthread_mutex_t");
  EXPECT_EQ(reading->object, kObject);
  EXPECT_EQ(reading->futex_word, kObject);
  EXPECT_FALSE(reading->process_shared);
  EXPECT_EQ(reading->mode, AccessMode::kExclusive);
  EXPECT_EQ(reading->purpose, WaitPurpose::kAcquire);
  EXPECT_EQ(reading->evidence, Evidence::kCertain);
  EXPECT_EQ(reading->evidence_note, "owner word, frames in pthread_mutex_lock");
  EXPECT_EQ(reading->owner_ns_tid, kOwner);
  EXPECT_TRUE(reading->holders_known);
  EXPECT_FALSE(reading->robust);
  EXPECT_FALSE(reading->timed);
  EXPECT_TRUE(reading->private_futex);
  EXPECT_TRUE(reading->word_matches);
}

TEST_F(GlibcMutex, ElisionBitsAndSelfDeadlockAreLegal) {
  scene.thread.ns_tid = kOwner;
  for (const std::uint32_t kind : {0x100u, 0x200u, 0x102u}) {
    WriteMutex(2, kOwner, 1, kind);
    const auto reading = scene.Decode();
    EXPECT_EQ(reading->evidence, Evidence::kCertain) << kind;
    EXPECT_EQ(reading->owner_ns_tid, kOwner);
  }
}

TEST_F(GlibcMutex, AKindThatNoMutexHasIsNoMutex) {
  for (const std::uint32_t kind : {4u, 8u, 0x400u, 0xffffffffu}) {
    WriteMutex(2, kOwner, 1, kind);
    EXPECT_EQ(scene.Decode()->kind, ResourceKind::kFutex) << kind;
  }
}

// Whether its owner lives is for the caller to judge: this is what it must see of a mutex that
// was inherited over a fork or whose owner has exited.
TEST_F(GlibcMutex, ReportsAnOwnerThatIsNotAliveAsItStands) {
  WriteMutex(2, 4711, 1, 0);
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->owner_ns_tid, 4711);
  EXPECT_EQ(reading->evidence, Evidence::kCertain);
  EXPECT_TRUE(reading->holders_known);
  scene.frames.clear();
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kFutex);  // nothing vouches for it
}

TEST_F(GlibcMutex, WithoutFramesIsProbableAtMost) {
  scene.frames.clear();
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kMutex);
  EXPECT_EQ(reading->owner_ns_tid, kOwner);
  EXPECT_EQ(reading->evidence, Evidence::kProbable);
}

TEST_F(GlibcMutex, WhoseWordMovedOnMayNameThePreviousOwner) {
  WriteMutex(1, kOwner, 1, 0);  // woken: another thread has locked it meanwhile
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kMutex);
  EXPECT_FALSE(reading->word_matches);
  EXPECT_FALSE(reading->holders_known);
  EXPECT_EQ(reading->evidence, Evidence::kProbable);
}

TEST_F(GlibcMutex, BetweenTwoOwnersHasNone) {
  WriteMutex(2, 0, 0, 0);
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kMutex);
  EXPECT_EQ(reading->owner_ns_tid, 0);
  EXPECT_FALSE(reading->holders_known);
}

TEST_F(GlibcMutex, Robust) {
  WriteMutex(0x80000000u | kOwner, kOwner, 1, kRobust | kShared);
  scene.Futex(kObject, kWait, 0x80000000u | kOwner);
  auto reading = scene.Decode();
  EXPECT_EQ(reading->type, "pthread_mutex_t (robust)");
  EXPECT_EQ(reading->owner_ns_tid, kOwner);
  EXPECT_TRUE(reading->robust);
  EXPECT_FALSE(reading->owner_died);
  EXPECT_EQ(reading->evidence, Evidence::kCertain);

  scene.memory.Write<std::uint32_t>(kObject, 0xc0000000);
  reading = scene.Decode();
  EXPECT_TRUE(reading->owner_died);
  EXPECT_EQ(reading->owner_ns_tid, 0);
  EXPECT_FALSE(reading->holders_known);
}

TEST_F(GlibcMutex, PriorityInheritanceIsReadFromTheWordThatTheKernelKeeps) {
  WriteMutex(0x80000000u | kOwner, 0, 1, kInherit | 1);
  scene.Futex(kObject, kLockPiPrivate, 0);
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->type, "pthread_mutex_t (recursive, priority inheritance)");
  EXPECT_EQ(reading->owner_ns_tid, kOwner);
  EXPECT_TRUE(reading->word_matches);
  EXPECT_EQ(reading->evidence, Evidence::kCertain);
}

// A thread that glibc parked on a word of its own stack: see glibc_refused_mutex.cc.
struct GlibcRefusedMutex : GlibcTest {
  static constexpr std::uint64_t kStack = 0x7fff0000;
  static constexpr std::uint64_t kFrameEnd = kStack + 0x80;

  GlibcRefusedMutex() {
    scene.frames = Frames({"__futex_abstimed_wait_common", "__pthread_mutex_lock_full", "worker"});
    scene.thread.ns_tid = 813;
    scene.thread.registers.dwarf[kRsp] = kStack;
    scene.thread.registers.dwarf[kR14] = kObject + 16;
    scene.thread.cfa = cfa;
    scene.memory.Map(kStack, 0x200);
    WriteMutex(0x80000000u | kOwner, kOwner, 1, kInherit);
    scene.Futex(kStack + 0x34, kWaitBitsetPrivateRealtime, 0);
  }
  std::array<std::uint64_t, 3> cfa{kStack + 0x40, kFrameEnd, kFrameEnd + 0x80};
};

TEST_F(GlibcRefusedMutex, IsTheOneThatARegisterPointsInto) {
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kMutex);
  EXPECT_EQ(reading->type, "pthread_mutex_t (priority inheritance)");
  EXPECT_EQ(reading->object, kObject);
  EXPECT_EQ(reading->futex_word, kObject);
  EXPECT_EQ(reading->purpose, WaitPurpose::kAcquire);
  EXPECT_EQ(reading->owner_ns_tid, kOwner);
  EXPECT_TRUE(reading->holders_known);
  EXPECT_EQ(reading->evidence, Evidence::kProbable);
  EXPECT_EQ(reading->evidence_note,
            "the kernel refused the wait as a deadlock; the mutex is what the frames of "
            "pthread_mutex_lock_full refer to");
}

TEST_F(GlibcRefusedMutex, IsTheOneThatTheFramesPointTo) {
  scene.thread.registers.dwarf[kR14] = 0;
  scene.memory.Write<std::uint64_t>(kFrameEnd - 16, kObject);
  EXPECT_EQ(scene.Decode()->object, kObject);
  scene.memory.Write<std::uint64_t>(kFrameEnd - 16, 0);
  scene.memory.Write<std::uint64_t>(kFrameEnd + 16, kObject);
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kFutex) << "that is the caller's frame";
}

TEST_F(GlibcRefusedMutex, IsUnknownIfTwoAreReferredTo) {
  constexpr std::uint64_t kOther = kObject + 64;
  scene.memory.WriteAll<std::uint32_t>(kOther, {0x80000000u | 1, 0, 1, 1, kInherit});
  scene.thread.registers.dwarf[kRbx] = kOther;
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kFutex);
}

TEST_F(GlibcRefusedMutex, IsOfSomebodyElseWhoLives) {
  for (const pid_t owner : {0, 813, 4711}) {
    WriteMutex(0x80000000u | static_cast<std::uint32_t>(owner), owner, 1, kInherit);
    EXPECT_EQ(scene.Decode()->kind, ResourceKind::kFutex) << owner;
  }
}

TEST_F(GlibcRefusedMutex, InheritsPriority) {
  WriteMutex(0x80000000u | kOwner, kOwner, 1, 0);
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kFutex);
}

TEST_F(GlibcRefusedMutex, ParksOnTheFunctionsOwnStackWithoutATimeout) {
  scene.Futex(kFrameEnd + 0x40, kWaitBitsetPrivateRealtime, 0);
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kFutex) << "somebody else's word";
  scene.Futex(kStack + 0x34, kWaitBitsetPrivateRealtime, 0, kStack + 0x40);
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kFutex) << "a timeout";
}

TEST_F(GlibcMutex, PriorityCeilingIsInTheWord) {
  const std::uint32_t word = (10u << 19) | 2;
  WriteMutex(word, kOwner, 1, kCeiling);
  scene.Futex(kObject, kWaitPrivate, word);
  EXPECT_EQ(scene.Decode()->type, "pthread_mutex_t (priority ceiling)");
  EXPECT_EQ(scene.Decode()->owner_ns_tid, kOwner);
}

TEST_F(GlibcMutex, SharedBetweenProcessesMayBeOwnedInAnother) {
  scene.threads.others = {99};
  WriteMutex(2, 99, 1, kShared);
  scene.Futex(kObject, kWait, 2);
  auto reading = scene.Decode();
  EXPECT_EQ(reading->type, "pthread_mutex_t (process-shared)");
  EXPECT_TRUE(reading->process_shared);
  EXPECT_EQ(reading->owner_ns_tid, 99);
  EXPECT_EQ(reading->evidence, Evidence::kCertain);
  scene.frames.clear();
  EXPECT_EQ(scene.Decode()->evidence, Evidence::kProbable);
  // Kind and futex call must agree.
  WriteMutex(2, 99, 1, 0);
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kFutex);
}

TEST_F(GlibcMutex, IsCalledWhatItsUserCallsIt) {
  scene.frames = Frames({"__lll_lock_wait", "pthread_mutex_lock", "__gthread_mutex_lock",
                         "std::mutex::lock()", "std::lock_guard<std::mutex>::lock_guard", "f"});
  EXPECT_EQ(scene.Decode()->type, "std::mutex");
  scene.frames = Frames({"__lll_lock_wait", "pthread_mutex_lock",
                         "__gthread_recursive_mutex_lock(pthread_mutex_t*)",
                         "std::recursive_mutex::lock()", "f"});
  EXPECT_EQ(scene.Decode()->type, "std::recursive_mutex");
  scene.frames = Frames({"__lll_lock_wait", "pthread_mutex_lock", "mtx_lock", "f"});
  EXPECT_EQ(scene.Decode()->type, "mtx_t");
  scene.frames = Frames({"__lll_lock_wait", "pthread_mutex_lock", "my_lock", "std::mutex::lock()"});
  EXPECT_EQ(scene.Decode()->type, "pthread_mutex_t");
}

TEST_F(GlibcMutex, InsideAConditionWaitIsTheMutex) {
  scene.frames = Frames({"pthread_cond_wait", "pthread_cond_wait",
                         "std::condition_variable::wait(std::unique_lock<std::mutex>&)", "f"});
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kMutex);
  EXPECT_EQ(reading->type, "std::mutex");
  EXPECT_EQ(reading->purpose, WaitPurpose::kAcquire);
  EXPECT_EQ(reading->evidence_note, "owner word, frames in pthread_cond_wait");
  // The condition variable's own short lock has the same signature and no owner.
  WriteMutex(2, 0, 0, 0);
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kFutex);
}

TEST_F(GlibcMutex, JemallocsOwnMutexIsAMutex) {
  scene.frames = Frames({"__lll_lock_wait", "pthread_mutex_lock", "malloc", "f"});
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kMutex);
}

// malloc_state: mutex, flags, have_fastchunks, padding, fastbins. In a container with a thread 1
// it reads like a mutex that thread 1 owns.
struct MallocArena : GlibcTest {
  MallocArena() {
    scene.memory.WriteAll<std::uint32_t>(kObject, {2, 0, 1, 0, 0, 0});
    scene.Futex(kObject, kWaitPrivate, 2);
  }
};

TEST_F(MallocArena, HasNoOwner) {
  for (const char* function : {"malloc", "__libc_free", "_int_malloc", "calloc", "realloc",
                               "aligned_alloc", "arena_get2.part.0", "malloc (local)"}) {
    scene.frames = Frames({"__lll_lock_wait_private", function, "worker"});
    const auto reading = scene.Decode();
    EXPECT_EQ(reading->kind, ResourceKind::kMallocArena) << function;
    EXPECT_EQ(reading->type, "malloc arena");
    EXPECT_EQ(reading->purpose, WaitPurpose::kAcquire);
    EXPECT_EQ(reading->owner_ns_tid, 0);
    EXPECT_FALSE(reading->holders_known);
    EXPECT_EQ(reading->evidence, Evidence::kCertain);
  }
}

TEST_F(MallocArena, IsNeverAMutexOfThreadOneEvenWithoutFrames) {
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kFutex);
  EXPECT_EQ(scene.Decode()->owner_ns_tid, 0);
  scene.frames = Frames({"__lll_lock_wait_private", "", "worker"});
  EXPECT_EQ(scene.Decode()->type, "glibc internal lock");
  EXPECT_EQ(scene.Decode()->owner_ns_tid, 0);
}

TEST_F(MallocArena, InsideStdioIsTheArena) {
  scene.frames =
      Frames({"__lll_lock_wait_private", "malloc", "_IO_file_doallocate", "_IO_puts", "worker"});
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kMallocArena);
}

struct GlibcStdio : GlibcTest {
  GlibcStdio() {
    scene.threads.thread_pointers = {{0x7f00deadb740, kOwner}};
    scene.memory.WriteAll<std::uint32_t>(kObject, {2, 1});
    scene.memory.Write<std::uint64_t>(kObject + 8, 0x7f00deadb740);
    scene.Futex(kObject, kWaitPrivate, 2);
  }
};

TEST_F(GlibcStdio, IsOwnedByAThreadPointer) {
  scene.frames = Frames({"__lll_lock_wait_private", "_IO_fwrite", "worker"});
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kStdioLock);
  EXPECT_EQ(reading->type, "FILE lock");
  EXPECT_EQ(reading->owner_ns_tid, kOwner);
  EXPECT_TRUE(reading->holders_known);
  EXPECT_EQ(reading->evidence, Evidence::kCertain);
  EXPECT_EQ(reading->evidence_note, "owner word, frames in IO_fwrite");
}

TEST_F(GlibcStdio, WithoutFramesIsProbable) {
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kStdioLock);
  EXPECT_EQ(scene.Decode()->evidence, Evidence::kProbable);
}

TEST_F(GlibcStdio, OfAThreadThatIsNoLongerThereHasNoKnownHolder) {
  scene.threads.thread_pointers.clear();
  scene.frames = Frames({"__lll_lock_wait_private", "puts", "worker"});
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kStdioLock);
  EXPECT_EQ(reading->owner_ns_tid, 0);
  EXPECT_FALSE(reading->holders_known);
}

struct GlibcJoin : GlibcTest {
  GlibcJoin() {
    scene.memory.Write<std::uint32_t>(kObject, kOwner);
    scene.Futex(kObject, kWaitBitsetRealtime, kOwner);
    scene.frames = Frames({"pthread_join", "pthread_join", "main"});
  }
};

TEST_F(GlibcJoin, WaitsForTheJoinedThreadForCertain) {
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kThreadExit);
  EXPECT_EQ(reading->purpose, WaitPurpose::kJoin);
  EXPECT_EQ(reading->object, kObject);
  EXPECT_EQ(reading->owner_ns_tid, kOwner);
  EXPECT_TRUE(reading->holders_known);
  EXPECT_FALSE(reading->process_shared);
  EXPECT_EQ(reading->evidence, Evidence::kCertain);
}

TEST_F(GlibcJoin, OfAThreadThatJustEndedIsNotCertain) {
  scene.memory.Write<std::uint32_t>(kObject, 0);
  EXPECT_EQ(scene.Decode()->evidence, Evidence::kProbable);
  EXPECT_FALSE(scene.Decode()->holders_known);
}

TEST_F(GlibcJoin, WithoutFramesNeedsTheThreadsOwnDescriptor) {
  scene.frames.clear();
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kFutex);
  scene.threads.thread_pointers = {{kObject - 720, kOwner}};
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kThreadExit);
  EXPECT_EQ(scene.Decode()->evidence, Evidence::kProbable);
}

struct GlibcRwLock : GlibcTest {
  void WriteLock(std::uint32_t readers, std::uint32_t phase, std::uint32_t writers_futex,
                 pid_t writer) {
    scene.memory.WriteAll<std::uint32_t>(
        kObject, {readers, 0, phase, writers_futex, 0, 0, static_cast<std::uint32_t>(writer), 0});
  }
};

TEST_F(GlibcRwLock, HeldByAWriter) {
  WriteLock(3, 3, 1, kOwner);
  scene.Futex(kObject + 8, kWaitBitsetPrivateRealtime, 3);
  scene.frames = Frames({"___pthread_rwlock_rdlock", "worker"});
  auto reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kRwLock);
  EXPECT_EQ(reading->object, kObject);
  EXPECT_EQ(reading->mode, AccessMode::kShared);
  EXPECT_EQ(reading->purpose, WaitPurpose::kAcquire);
  EXPECT_EQ(reading->owner_ns_tid, kOwner);
  EXPECT_TRUE(reading->holders_known);
  EXPECT_EQ(reading->evidence, Evidence::kCertain);

  scene.frames = Frames({"pthread_rwlock_rdlock", "std::__shared_mutex_pthread::lock_shared()"});
  EXPECT_EQ(scene.Decode()->type, "std::shared_mutex");
  scene.frames.clear();
  reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kRwLock);
  EXPECT_EQ(reading->mode, AccessMode::kShared);
  EXPECT_EQ(reading->evidence, Evidence::kProbable);
}

TEST_F(GlibcRwLock, WriterInLine) {
  WriteLock(3, 1, 3, kOwner);
  scene.Futex(kObject + 12, kWaitBitsetPrivateRealtime, 3);
  scene.frames = Frames({"___pthread_rwlock_wrlock", "worker"});
  EXPECT_EQ(scene.Decode()->object, kObject);
  EXPECT_EQ(scene.Decode()->mode, AccessMode::kExclusive);
  EXPECT_EQ(scene.Decode()->owner_ns_tid, kOwner);
}

TEST_F(GlibcRwLock, HeldByReadersNamesNobody) {
  WriteLock((4 << 3) | 2, 2, 1, 0);
  scene.Futex(kObject + 8, kWaitBitsetPrivateRealtime, 2);
  scene.frames = Frames({"___pthread_rwlock_wrlock", "worker"});
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->owner_ns_tid, 0);
  EXPECT_FALSE(reading->holders_known);
  EXPECT_EQ(reading->evidence, Evidence::kCertain);
  EXPECT_EQ(reading->evidence_note,
            "held by 4 readers that the lock does not name, frames in pthread_rwlock_wrlock");
  EXPECT_EQ(reading->readers, 4U);
  // One leaves; then a writer has it, and what the word counts are those who wait.
  WaitReading again = *reading;
  WriteLock((3 << 3) | 2, 2, 1, 0);
  EXPECT_TRUE(RefreshOwner(again, scene.memory, scene.threads));
  EXPECT_EQ(again.readers, 3U);
  WriteLock((3 << 3) | 3, 2, 1, kOwner);
  EXPECT_TRUE(RefreshOwner(again, scene.memory, scene.threads));
  EXPECT_EQ(again.readers, 0U);
  WriteLock((4 << 3) | 2, 2, 1, 0);
  scene.frames.clear();
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kFutex);
}

// pthread_cond_t until 2.40, and since: wseq, g1_start, [g_refs], g_size, g1_orig_size, wrefs.
struct GlibcCondition : GlibcTest {
  void WriteUntil240(std::uint32_t group) {
    scene.memory.WriteAll<std::uint32_t>(
        kObject, {2, 0, 0, 0, group == 0 ? 2u : 0u, group == 1 ? 2u : 0u, 0, 0, 0, 8, 0, 0});
  }
  void WriteSince241() {
    scene.memory.WriteAll<std::uint32_t>(kObject, {2, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0});
  }
};

TEST_F(GlibcCondition, IsAnEventInBothLayouts) {
  scene.frames = Frames({"___pthread_cond_wait", "worker"});
  for (const std::uint32_t group : {0u, 1u}) {
    WriteUntil240(group);
    scene.Futex(kObject + 40 + 4 * group, kWaitBitsetPrivateRealtime, 0);
    const auto reading = scene.Decode();
    EXPECT_EQ(reading->kind, ResourceKind::kCondition);
    EXPECT_EQ(reading->object, kObject) << group;
    EXPECT_EQ(reading->purpose, WaitPurpose::kEvent);
    EXPECT_EQ(reading->owner_ns_tid, 0);
    EXPECT_EQ(reading->evidence, Evidence::kCertain);

    WriteSince241();
    scene.Futex(kObject + 32 + 4 * group, kWaitBitsetPrivateRealtime, 0);
    EXPECT_EQ(scene.Decode()->object, kObject) << group;
  }
}

TEST_F(GlibcCondition, WithoutFramesIsProbable) {
  WriteUntil240(0);
  scene.Futex(kObject + 40, kWaitBitsetPrivateRealtime, 0);
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kCondition);
  EXPECT_EQ(scene.Decode()->evidence, Evidence::kProbable);
}

TEST_F(GlibcCondition, WithAWordOfZeroAndNoWaitersIsNothing) {
  scene.Futex(kObject + 40, kWaitBitsetPrivateRealtime, 0);
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kFutex);
}

TEST_F(GlibcTest, SemaphoreAtZeroIsAnEventWithoutAHolder) {
  scene.memory.WriteAll<std::uint32_t>(kObject, {0, 1, 0});
  scene.Futex(kObject, kWaitBitsetPrivateRealtime, 0);
  scene.frames = Frames({"__new_sem_wait_slow64.constprop.0", "__new_sem_wait", "worker"});
  auto reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kSemaphore);
  EXPECT_EQ(reading->type, "sem_t");
  EXPECT_EQ(reading->purpose, WaitPurpose::kEvent);
  EXPECT_EQ(reading->owner_ns_tid, 0);
  EXPECT_FALSE(reading->holders_known);
  EXPECT_EQ(reading->evidence, Evidence::kCertain);
  scene.frames.clear();
  reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kSemaphore);
  EXPECT_EQ(reading->evidence, Evidence::kProbable);
}

// libc's syscall() is for those who call futex themselves: none of libc's objects waits in it.
TEST_F(GlibcTest, AFutexOfTheProgramsOwnIsNoneOfTheLibrarys) {
  scene.memory.WriteAll<std::uint32_t>(kObject, {2, 0, kOwner, 1, 0});
  scene.frames = Frames({"syscall", "my_own_lock", "main"});
  scene.Futex(kObject, kWaitPrivate, 2);
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kFutex);
  EXPECT_EQ(reading->evidence, Evidence::kUnknown);
  EXPECT_EQ(reading->owner_ns_tid, 0);
}

TEST_F(GlibcTest, OnceOfAForkedChildHasTheForksInItsWord) {
  scene.memory.Write<std::uint32_t>(kObject, 4 * 3 + 1);
  scene.Futex(kObject, kWaitPrivate, 4 * 3 + 1);
  scene.frames = Frames({"__pthread_once_slow.isra.0", "worker"});
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kOnce);
  EXPECT_EQ(scene.Decode()->purpose, WaitPurpose::kEvent);
}

}  // namespace
}  // namespace ct
