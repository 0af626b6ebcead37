// The order of decisions over all decoders, the fallback, and looking again.
#include <random>

#include <gtest/gtest.h>

#include "tests/unit/locks/fakes.h"

namespace ct {
namespace {

constexpr std::uint64_t kWord = 0x7f0000001040;
constexpr pid_t kTid = 812;
constexpr auto kTid32 = static_cast<std::uint32_t>(kTid);

// facts: "a futex signature gives a candidate, frames make it certain". Each row has the same
// mutex-like words, and differs in the call and the frames.
TEST(DecodeWait, DecidesBySignatureAndThenByFrames) {
  struct Row {
    const char* what;
    std::uint64_t op;
    std::uint32_t value;
    std::uint32_t kind;  // at +16
    std::vector<const char*> frames;
    ResourceKind expected_kind;
    Evidence expected_evidence;
    pid_t expected_owner;
  };
  constexpr std::uint32_t kWaiters = 0x80000000;
  const std::vector<Row> rows{
      {"1: LOCK_PI",
       kLockPiPrivate,
       kWaiters | kTid32,
       32,
       {"pthread_mutex_lock", "f"},
       ResourceKind::kMutex,
       Evidence::kCertain,
       kTid},
      {"1: LOCK_PI, no frames",
       kLockPiPrivate,
       kWaiters | kTid32,
       32,
       {},
       ResourceKind::kMutex,
       Evidence::kProbable,
       kTid},
      {"2: robust",
       kWait,
       kWaiters | kTid32,
       16 | 128,
       {"pthread_mutex_lock", "f"},
       ResourceKind::kMutex,
       Evidence::kCertain,
       kTid},
      {"2: robust, no frames",
       kWait,
       kWaiters | kTid32,
       16 | 128,
       {},
       ResourceKind::kMutex,
       Evidence::kProbable,
       kTid},
      {"3: join",
       kWaitBitsetRealtime,
       kTid32,
       0,
       {"pthread_join", "f"},
       ResourceKind::kThreadExit,
       Evidence::kCertain,
       kTid},
      {"3: a tid alone is no join",
       kWaitBitsetRealtime,
       kTid32,
       0,
       {},
       ResourceKind::kFutex,
       Evidence::kUnknown,
       0},
      {"4: mutex",
       kWaitPrivate,
       2,
       0,
       {"__lll_lock_wait", "pthread_mutex_lock", "f"},
       ResourceKind::kMutex,
       Evidence::kCertain,
       kTid},
      {"4: mutex, no frames",
       kWaitPrivate,
       2,
       0,
       {},
       ResourceKind::kMutex,
       Evidence::kProbable,
       kTid},
      {"4: mutex-like in a function of malloc",
       kWaitPrivate,
       2,
       0,
       {"__lll_lock_wait_private", "malloc", "f"},
       ResourceKind::kMallocArena,
       Evidence::kCertain,
       0},
      {"4: mutex-like inside libc",
       kWaitPrivate,
       2,
       0,
       {"__lll_lock_wait_private", "localtime_r", "f"},
       ResourceKind::kMutex,
       Evidence::kCertain,
       0},
      {"6: the signature beats the name",
       kWaitPrivate,
       2,
       0,
       {"pthread_cond_wait", "f"},
       ResourceKind::kMutex,
       Evidence::kCertain,
       kTid},
      {"7: a Rust mutex has no owner",
       kWaitBitsetPrivate,
       2,
       0,
       {"syscall", "std::sys::sync::mutex::futex::Mutex::lock_contended"},
       ResourceKind::kMutex,
       Evidence::kCertain,
       0},
      {"7: parking_lot",
       kWaitPrivate,
       1,
       0,
       {"syscall", "parking_lot::raw_mutex::RawMutex::lock_slow"},
       ResourceKind::kMutex,
       Evidence::kCertain,
       0},
      {"8: somebody's own futex",
       kWaitPrivate,
       2,
       0,
       {"syscall", "f"},
       ResourceKind::kFutex,
       Evidence::kUnknown,
       0},
      {"8: no signature fits",
       kWaitPrivate,
       77,
       0,
       {},
       ResourceKind::kFutex,
       Evidence::kUnknown,
       0},
      {"8: wait on many", kWaitBitset, 5, 0, {}, ResourceKind::kFutex, Evidence::kUnknown, 0},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    Scene scene;
    scene.threads.same_space = {kTid};
    scene.memory.Map(kWord - 64, 256);
    scene.memory.WriteAll<std::uint32_t>(kWord, {row.value, 0, kTid32, 1, row.kind});
    scene.Futex(kWord, row.op, row.value);
    scene.frames = Frames(row.frames);
    const auto reading = scene.Decode();
    ASSERT_TRUE(reading);
    EXPECT_EQ(reading->kind, row.expected_kind);
    EXPECT_EQ(reading->evidence, row.expected_evidence);
    EXPECT_EQ(reading->owner_ns_tid, row.expected_owner);
    EXPECT_EQ(reading->holders_known, row.expected_owner != 0);
    EXPECT_TRUE(reading->word_matches);
    EXPECT_FALSE(reading->evidence_note.empty());
    EXPECT_FALSE(reading->type.empty());
  }
}

TEST(DecodeWait, KnowsNothingOfAThreadInNoFutex) {
  Scene scene;
  scene.thread.syscall = 7;  // poll
  EXPECT_FALSE(scene.Decode());
}

TEST(DecodeWait, UnreadableMemoryStillIsAWait) {
  Scene scene;
  scene.Futex(kWord, kWaitPrivate, 2);
  scene.frames = Frames({"__lll_lock_wait", "pthread_mutex_lock", "f"});
  const auto reading = scene.Decode();
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->kind, ResourceKind::kFutex);
  EXPECT_EQ(reading->evidence, Evidence::kUnknown);
  EXPECT_EQ(reading->futex_word, kWord);
  EXPECT_FALSE(reading->word_matches);
}

struct RefreshOwnerTest : testing::Test {
  RefreshOwnerTest() {
    scene.threads.same_space = {kTid, 813};
    scene.memory.Map(kWord - 64, 256);
    scene.frames = Frames({"pthread_mutex_lock", "f"});
  }
  bool Refresh() { return RefreshOwner(*reading, scene.memory, scene.threads); }
  Scene scene;
  std::optional<WaitReading> reading;
};

TEST_F(RefreshOwnerTest, FollowsAMutexFromOwnerToOwner) {
  scene.memory.WriteAll<std::uint32_t>(kWord, {2, 0, kTid32, 1, 0});
  scene.Futex(kWord, kWaitPrivate, 2);
  reading = scene.Decode();
  EXPECT_TRUE(Refresh());
  EXPECT_EQ(reading->owner_ns_tid, kTid);
  scene.memory.Write<std::uint32_t>(kWord + 8, 813);
  EXPECT_TRUE(Refresh());
  EXPECT_EQ(reading->owner_ns_tid, 813);
  scene.memory.Write<std::uint32_t>(kWord, 0);
  EXPECT_FALSE(Refresh());
  EXPECT_FALSE(reading->word_matches);
  EXPECT_FALSE(reading->holders_known);
}

TEST_F(RefreshOwnerTest, FollowsARobustMutexAndSeesItsOwnerDie) {
  scene.memory.WriteAll<std::uint32_t>(kWord, {0x80000000u | kTid32, 0, kTid32, 1, 16 | 128});
  scene.Futex(kWord, kWait, 0x80000000u | kTid32);
  reading = scene.Decode();
  scene.memory.Write<std::uint32_t>(kWord, 0x80000000u | 813);
  EXPECT_TRUE(Refresh());
  EXPECT_EQ(reading->owner_ns_tid, 813);
  scene.memory.Write<std::uint32_t>(kWord, 0xc0000000u);
  EXPECT_TRUE(Refresh());
  EXPECT_TRUE(reading->owner_died);
  EXPECT_FALSE(reading->holders_known);
}

TEST_F(RefreshOwnerTest, AnOwnerlessWaitIsConfirmedByItsWord) {
  scene.memory.WriteAll<std::uint32_t>(kWord, {0, 1, 0});
  scene.Futex(kWord, kWaitBitsetPrivateRealtime, 0);
  scene.frames = Frames({"sem_wait", "f"});
  reading = scene.Decode();
  EXPECT_TRUE(Refresh());
  scene.memory.Write<std::uint32_t>(kWord, 1);
  EXPECT_FALSE(Refresh());
}

TEST_F(RefreshOwnerTest, AJoinEndsWithItsThread) {
  scene.memory.Write<std::uint32_t>(kWord, kTid32);
  scene.Futex(kWord, kWaitBitsetRealtime, kTid32);
  scene.frames = Frames({"pthread_join", "f"});
  reading = scene.Decode();
  EXPECT_TRUE(Refresh());
  scene.memory.Write<std::uint32_t>(kWord, 0);
  EXPECT_FALSE(Refresh());
  EXPECT_FALSE(reading->holders_known);
}

// Memory that answers every address with other bytes each time, or not at all.
class RandomMemory final : public Memory {
 public:
  explicit RandomMemory(std::mt19937_64& random) : random_(random) {}
  std::size_t Read(std::uint64_t, std::span<std::byte> out) override {
    asked += out.size();
    if (random_() % 8 == 0) return random_() % (out.size() + 1);
    const bool small = random_() % 2 == 0;
    for (std::byte& byte : out) {
      byte = static_cast<std::byte>(small ? random_() % 4 : random_());
    }
    return out.size();
  }
  std::size_t asked = 0;

 private:
  std::mt19937_64& random_;
};

TEST(HostileInput, NeverCrashesNeverReadsMuchAndNeverInventsCertainty) {
  const std::vector<const char*> names{"",
                                       "syscall",
                                       "__lll_lock_wait",
                                       "__lll_lock_wait_private",
                                       "pthread_mutex_lock",
                                       "pthread_rwlock_rdlock",
                                       "pthread_rwlock_wrlock",
                                       "pthread_cond_wait",
                                       "sem_wait",
                                       "pthread_barrier_wait",
                                       "pthread_join",
                                       "pthread_once",
                                       "puts",
                                       "malloc",
                                       "__timedwait_cp",
                                       "take_gil",
                                       "PyThread_acquire_lock_timed",
                                       "_PyParkingLot_Park",
                                       "ObjectMonitor::enter",
                                       "std::latch::wait",
                                       "Mutex::lock_contended",
                                       "parking_lot_core::park",
                                       "runtime.futex",
                                       "absl::Mutex::LockSlow",
                                       "__cxa_guard_acquire",
                                       "[[[",
                                       "<",
                                       "user"};
  const std::vector<std::int64_t> syscalls{202, 202, 202, 219, 449, 455, 0, -1};
  const std::vector<std::uint64_t> operations{kWait,           kWaitPrivate,
                                              kWaitBitset,     kWaitBitsetPrivate,
                                              kLockPiPrivate,  kWaitBitsetPrivateRealtime,
                                              kLockPi2Private, kWaitBitsetRealtime};
  std::mt19937_64 random(20240607);
  const auto pick = [&](const auto& list) { return list[random() % list.size()]; };
  for (int round = 0; round < 50'000; ++round) {
    RandomMemory memory(random);
    FakeThreads threads;
    threads.same_space = {1, 2, 3};
    BlockedThread thread;
    std::vector<Frame> frames;
    for (std::size_t i = random() % 6; i > 0; --i) {
      frames.push_back(Frames({pick(names)})[0]);
      frames.back().module = static_cast<ModuleIndex>(random() % 5) - 2;
    }
    const std::vector<Module> modules{{"/lib/libjvm.so", "", false}, {"/lib/ld-musl-", "", false}};
    thread.frames = frames;
    thread.modules = modules;
    thread.syscall = pick(syscalls);
    for (std::uint64_t& argument : thread.arguments) {
      argument = random() >> (random() % 64);
    }
    if (random() % 4 != 0) {
      thread.arguments[0] &= ~std::uint64_t{3};
      thread.arguments[1] = pick(operations);
      thread.arguments[2] = random() % 4;
    }
    auto reading = DecodeWait(thread, memory, threads);
    EXPECT_LE(memory.asked, 1024u);
    if (!reading) continue;
    EXPECT_FALSE(reading->type.empty());
    if (frames.empty()) {
      EXPECT_NE(reading->evidence, Evidence::kCertain);
    }
    if (reading->holders_known) {
      EXPECT_NE(reading->owner_ns_tid, 0);
      EXPECT_TRUE(reading->word_matches);
    }
    memory.asked = 0;
    RefreshOwner(*reading, memory, threads);
    EXPECT_LE(memory.asked, 64u);
  }
}

}  // namespace
}  // namespace ct
