// Waits of libraries and runtimes, told by the frames as real processes show them: Rust 1.95,
// Go 1.19, OpenJDK 17, CPython 3.11 and 3.13, libstdc++ 12, absl 20220623.
#include <gtest/gtest.h>

#include "tests/unit/locks/fakes.h"

namespace ct {
namespace {

constexpr std::uint64_t kWord = 0x7f0000001040;

struct RuntimesTest : testing::Test {
  RuntimesTest() { scene.memory.Map(kWord - 64, 256); }
  void Expected(std::uint64_t op, std::uint32_t value) {
    scene.memory.Write(kWord, value);
    scene.Futex(kWord, op, value);
  }
  Scene scene;
};

struct Case {
  std::vector<const char*> frames;
  ResourceKind kind;
  WaitPurpose purpose;
  const char* type;
  AccessMode mode = AccessMode::kExclusive;
};

void ExpectCase(Scene& scene, const Case& test, Implementation implementation) {
  scene.frames = Frames(test.frames);
  const auto reading = scene.Decode();
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->kind, test.kind) << test.type;
  EXPECT_EQ(reading->purpose, test.purpose) << test.type;
  EXPECT_EQ(reading->type, test.type);
  EXPECT_EQ(reading->mode, test.mode) << test.type;
  EXPECT_EQ(reading->implementation, implementation) << test.type;
  EXPECT_EQ(reading->evidence, Evidence::kCertain) << test.type;
  EXPECT_EQ(reading->owner_ns_tid, 0);
  EXPECT_FALSE(reading->holders_known);
}

TEST_F(RuntimesTest, RustStd) {
  Expected(kWaitBitsetPrivate, 2);
  for (const Case& test : {
           Case{{"syscall",
                 "<std[e28293b1aa0f68bd]::sys::sync::mutex::futex::Mutex>::lock_contended",
                 "std::sync::poison::mutex::Mutex<T>::lock"},
                ResourceKind::kMutex,
                WaitPurpose::kAcquire,
                "std::sync::Mutex"},
           Case{{"syscall", "std::sys::pal::unix::futex::futex_wait",
                 "std::sys::unix::locks::futex_mutex::Mutex::lock_contended"},
                ResourceKind::kMutex,
                WaitPurpose::kAcquire,
                "std::sync::Mutex"},
           Case{{"syscall", "<std[1]::sys::sync::rwlock::futex::RwLock>::read_contended"},
                ResourceKind::kRwLock,
                WaitPurpose::kAcquire,
                "std::sync::RwLock",
                AccessMode::kShared},
           Case{{"syscall", "<std[1]::sys::sync::condvar::futex::Condvar>::wait_optional_timeout"},
                ResourceKind::kCondition,
                WaitPurpose::kEvent,
                "std::sync::Condvar"},
           Case{{"syscall", "<std[1]::sys::sync::once::futex::Once>::call"},
                ResourceKind::kOnce,
                WaitPurpose::kEvent,
                "std::sync::Once"},
           Case{{"syscall", "std[1]::thread::functions::park", "r::main"},
                ResourceKind::kPark,
                WaitPurpose::kEvent,
                "std::thread::park"},
       }) {
    ExpectCase(scene, test, Implementation::kRustStd);
  }
}

TEST_F(RuntimesTest, RustWriterSleepsOnTheSecondWordOfItsLock) {
  Expected(kWaitBitsetPrivate, 1);
  scene.frames = Frames({"syscall", "<std[1]::sys::sync::rwlock::futex::RwLock>::write_contended"});
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->object, kWord - 4);
  EXPECT_EQ(reading->futex_word, kWord);
  EXPECT_EQ(reading->mode, AccessMode::kExclusive);
}

TEST_F(RuntimesTest, RustMutexWithoutFramesIsProbable) {
  Expected(kWaitBitsetPrivate, 2);
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kMutex);
  EXPECT_EQ(reading->implementation, Implementation::kRustStd);
  EXPECT_EQ(reading->evidence, Evidence::kProbable);
  EXPECT_EQ(reading->owner_ns_tid, 0);
}

TEST_F(RuntimesTest, ParkingLot) {
  Expected(kWaitPrivate, 1);
  for (const Case& test : {
           Case{{"syscall", "parking_lot_core::parking_lot::park",
                 "parking_lot::raw_mutex::RawMutex::lock_slow", "app::work"},
                ResourceKind::kMutex,
                WaitPurpose::kAcquire,
                "parking_lot::Mutex"},
           Case{{"syscall", "parking_lot::raw_rwlock::RawRwLock::lock_shared_slow"},
                ResourceKind::kRwLock,
                WaitPurpose::kAcquire,
                "parking_lot::RwLock",
                AccessMode::kShared},
           Case{{"syscall", "parking_lot::raw_rwlock::RawRwLock::lock_exclusive_slow"},
                ResourceKind::kRwLock,
                WaitPurpose::kAcquire,
                "parking_lot::RwLock"},
           Case{{"syscall", "parking_lot_core::parking_lot::park",
                 "parking_lot::condvar::Condvar::wait_until_internal", "app::work"},
                ResourceKind::kCondition,
                WaitPurpose::kEvent,
                "parking_lot::Condvar"},
           Case{{"syscall", "parking_lot_core::parking_lot::park", "app::work"},
                ResourceKind::kPark,
                WaitPurpose::kEvent,
                "parking_lot_core::park"},
       }) {
    ExpectCase(scene, test, Implementation::kParkingLot);
  }
}

TEST_F(RuntimesTest, Abseil) {
  Expected(kWaitPrivate, 0);
  const char* wait = "absl::lts_20220623::synchronization_internal::Waiter::Wait(KernelTimeout)";
  const char* sem = "AbslInternalPerThreadSemWait_lts_20220623";
  const char* block = "absl::lts_20220623::Mutex::Block(PerThreadSynch*)";
  const char* slow = "absl::lts_20220623::Mutex::LockSlow(MuHowS const*, Condition const*, int)";
  for (const Case& test : {
           Case{{"syscall", wait, sem, block, slow, "absl::lts_20220623::Mutex::Lock()", "f"},
                ResourceKind::kMutex,
                WaitPurpose::kAcquire,
                "absl::Mutex"},
           Case{{"syscall", wait, sem, block, slow, "absl::lts_20220623::Mutex::ReaderLock()"},
                ResourceKind::kMutex,
                WaitPurpose::kAcquire,
                "absl::Mutex",
                AccessMode::kShared},
           Case{{"syscall", wait, sem, block, slow, "absl::lts_20220623::Mutex::LockWhen()"},
                ResourceKind::kCondition,
                WaitPurpose::kEvent,
                "absl::Condition"},
           Case{{"syscall", wait, sem, block, slow, "absl::lts_20220623::CondVar::WaitCommon()"},
                ResourceKind::kMutex,
                WaitPurpose::kAcquire,
                "absl::Mutex"},
           Case{{"syscall", wait, sem, block, "absl::lts_20220623::CondVar::WaitCommon()"},
                ResourceKind::kCondition,
                WaitPurpose::kEvent,
                "absl::CondVar"},
           Case{{"syscall", wait, sem, "other::Library()"},
                ResourceKind::kPark,
                WaitPurpose::kEvent,
                "absl::PerThreadSem"},
       }) {
    ExpectCase(scene, test, Implementation::kAbseil);
  }
}

TEST_F(RuntimesTest, Go) {
  Expected(kWaitPrivate, 0);
  ExpectCase(scene,
             {{"runtime.futex.abi0", "runtime.futexsleep", "runtime.notesleep", "runtime.stopm"},
              ResourceKind::kPark,
              WaitPurpose::kEvent,
              "runtime.note"},
             Implementation::kGo);
  ExpectCase(scene,
             {{"runtime.futex.abi0", "runtime.futexsleep", "runtime.lock2", "runtime.schedule"},
              ResourceKind::kMutex,
              WaitPurpose::kAcquire,
              "runtime.mutex"},
             Implementation::kGo);
}

TEST_F(RuntimesTest, Libstdcxx) {
  Expected(kWait, 3);
  for (const Case& test : {
           Case{{"syscall", "std::__detail::__platform_wait<int>", "std::latch::wait() const", "f"},
                ResourceKind::kAtomicWait,
                WaitPurpose::kEvent,
                "std::latch"},
           Case{{"syscall", "void std::__atomic_wait_address_v<int>(int const*, int)",
                 "std::__atomic_base<int>::wait(int, std::memory_order) const", "f"},
                ResourceKind::kAtomicWait,
                WaitPurpose::kEvent,
                "std::atomic::wait"},
           Case{{"syscall", "std::__atomic_semaphore::_M_acquire()",
                 "std::counting_semaphore<4l>::acquire()", "f"},
                ResourceKind::kAtomicWait,
                WaitPurpose::kEvent,
                "std::counting_semaphore"},
           Case{{"syscall", "std::__atomic_futex_unsigned_base::_M_futex_wait_until(unsigned*)"},
                ResourceKind::kFuture,
                WaitPurpose::kEvent,
                "std::future"},
           Case{{"syscall", "__cxa_guard_acquire", "f"},
                ResourceKind::kOnce,
                WaitPurpose::kEvent,
                "static initializer"},
       }) {
    ExpectCase(scene, test, Implementation::kLibstdcxx);
  }
}

// The user's own function may have std types among its arguments.
TEST_F(RuntimesTest, LibstdcxxInlinedIntoTheUserIsProbable) {
  Expected(kWait, 3);
  scene.frames = Frames({"syscall", "worker(std::latch::something)"});
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kAtomicWait);
  EXPECT_EQ(reading->type, "atomic wait");
  EXPECT_EQ(reading->implementation, Implementation::kUnknown);
  EXPECT_EQ(reading->evidence, Evidence::kProbable);
}

// A condition variable of glibc until 2.40 at kWord - 40, with one waiter.
struct OnCondition : RuntimesTest {
  OnCondition() {
    scene.memory.WriteAll<std::uint32_t>(kWord - 40, {2, 0, 0, 0, 2, 0, 0, 0, 0, 8, 0, 0});
    scene.memory.WriteAll<std::int64_t>(0x9000, {1, 0});
    scene.Futex(kWord, kWaitBitsetPrivateRealtime, 0, 0x9000);
    scene.modules.push_back({"/usr/lib/jvm/java-17/lib/server/libjvm.so", "", false});
  }
  void CalledBy(const std::vector<const char*>& functions) {
    scene.frames = Frames({"___pthread_cond_timedwait"});
    for (Frame frame : Frames(functions)) {
      frame.module = 1;
      scene.frames.push_back(frame);
    }
  }
};

TEST_F(OnCondition, JvmMonitorIsALockWhoseWaiterLooksAgain) {
  CalledBy({"os::PlatformEvent::park(long)", "ObjectMonitor::EnterI(JavaThread*)",
            "ObjectMonitor::enter(JavaThread*)"});
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kMutex);
  EXPECT_EQ(reading->implementation, Implementation::kJvm);
  EXPECT_EQ(reading->type, "Java monitor");
  EXPECT_EQ(reading->purpose, WaitPurpose::kAcquire);
  EXPECT_EQ(reading->owner_ns_tid, 0);
  EXPECT_FALSE(reading->timed);
  EXPECT_EQ(reading->timeout_ns, std::nullopt);
}

TEST_F(OnCondition, JvmWaitsAreEvents) {
  CalledBy({"os::PlatformEvent::park()", "ObjectMonitor::wait(long, bool, JavaThread*)"});
  EXPECT_EQ(scene.Decode()->type, "Object.wait");
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kCondition);
  EXPECT_TRUE(scene.Decode()->timed);
  CalledBy({"Parker::park(bool, long)", "Unsafe_Park"});
  EXPECT_EQ(scene.Decode()->type, "LockSupport.park");
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kPark);
  CalledBy({"", ""});
  EXPECT_EQ(scene.Decode()->type, "HotSpot thread");
  EXPECT_EQ(scene.Decode()->purpose, WaitPurpose::kEvent);
}

TEST_F(OnCondition, GilIsALockAtItsOwnAddress) {
  scene.modules[1].path = "/usr/bin/python3.11";
  const std::uint64_t gil = kWord - 40 - 32;
  scene.memory.Map(gil, 32);
  scene.memory.WriteAll<std::uint64_t>(gil, {5000, 0x555500001234, 1});
  for (const char* function : {"take_gil", "PyEval_RestoreThread", "_PyEval_EvalFrameDefault"}) {
    CalledBy({function, "worker"});
    const auto reading = scene.Decode();
    EXPECT_EQ(reading->kind, ResourceKind::kGil) << function;
    EXPECT_EQ(reading->implementation, Implementation::kCpython);
    EXPECT_EQ(reading->object, gil);
    EXPECT_EQ(reading->purpose, WaitPurpose::kAcquire);
    EXPECT_FALSE(reading->timed);
    EXPECT_EQ(reading->evidence, Evidence::kCertain);
  }
  scene.memory.Write<std::uint64_t>(gil, 0);
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kGil);
  EXPECT_EQ(scene.Decode()->evidence, Evidence::kProbable);
}

// The condition's own helper is inlined, and named where there is debug information.
TEST_F(OnCondition, GilIsFoundBehindTheConditionsHelper) {
  scene.modules[1].path = "/usr/lib/libpython3.11.so.1.0";
  const std::uint64_t gil = kWord - 40 - 32;
  scene.memory.Map(gil, 32);
  scene.memory.WriteAll<std::uint64_t>(gil, {5000, 0x555500001234, 1});
  CalledBy({"PyCOND_TIMEDWAIT", "take_gil", "eval_frame_handle_pending"});
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kGil);
}

// Debian's python3.11 has names of what it exports only.
TEST_F(OnCondition, GilBehindAFrameWithoutANameIsKnownByItsWords) {
  scene.modules[1].path = "/usr/bin/python3.11";
  const std::uint64_t gil = kWord - 40 - 32;
  scene.memory.Map(gil, 32);
  scene.memory.WriteAll<std::uint64_t>(gil, {5000, 0x555500001234, 1});
  CalledBy({"", "_PyEval_EvalFrameDefault", "worker"});
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kGil);
  EXPECT_EQ(reading->object, gil);
  EXPECT_EQ(reading->evidence, Evidence::kCertain);
  CalledBy({"", "", "_PyEval_EvalFrameDefault"});
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kCondition);
  CalledBy({"", "_PyEval_EvalFrameDefault", "worker"});
  scene.memory.Write<std::uint64_t>(gil, 0);
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kCondition);
}

struct OnSemaphore : RuntimesTest {
  OnSemaphore() {
    scene.memory.WriteAll<std::uint32_t>(kWord, {0, 1, 0});
    scene.Futex(kWord, kWaitBitsetPrivateRealtime, 0);
  }
};

TEST_F(OnSemaphore, PythonLockUntil312IsTheSemaphore) {
  scene.frames = Frames({"sem_wait", "PyThread_acquire_lock_timed", "", "lock_acquire"});
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kMutex);
  EXPECT_EQ(reading->implementation, Implementation::kCpython);
  EXPECT_EQ(reading->type, "CPython lock");
  EXPECT_EQ(reading->object, kWord);
  // An idle queue.get() looks the same: without Python's frames nobody is accused.
  EXPECT_EQ(reading->purpose, WaitPurpose::kEvent);
  EXPECT_FALSE(reading->holders_known);
  EXPECT_EQ(reading->evidence, Evidence::kCertain);
}

TEST_F(OnSemaphore, OfAPostgresBackendIsForALockIfItsFramesSaySo) {
  for (const char* function : {"LWLockAcquire", "LWLockAcquireOrWait", "LWLockWaitForVar"}) {
    scene.frames = Frames({"sem_wait", "PGSemaphoreLock", function, "XLogFlush"});
    const auto reading = scene.Decode();
    EXPECT_EQ(reading->type, "PostgreSQL LWLock");
    EXPECT_EQ(reading->purpose, WaitPurpose::kAcquire);
    EXPECT_EQ(reading->kind, ResourceKind::kSemaphore);
  }
  scene.frames = Frames({"sem_wait", "PGSemaphoreLock", "ProcSleep"});
  EXPECT_EQ(scene.Decode()->type, "sem_t");
}

TEST_F(OnSemaphore, PythonLockSince313StandsBeforeTheWaitersSemaphore) {
  scene.memory.Write<std::uint64_t>(kWord - 8, 0x7f00aaaa0010);
  scene.frames = Frames({"sem_clockwait", "_PySemaphore_Wait", "_PyParkingLot_Park",
                         "_PyMutex_LockTimed", "lock_acquire"});
  auto reading = scene.Decode();
  EXPECT_EQ(reading->type, "CPython lock");
  EXPECT_EQ(reading->object, 0x7f00aaaa0010u);
  EXPECT_EQ(reading->futex_word, kWord);
  scene.frames =
      Frames({"sem_clockwait", "_PySemaphore_Wait", "_PyParkingLot_Park", "PyEvent_WaitTimed"});
  reading = scene.Decode();
  EXPECT_EQ(reading->kind, ResourceKind::kPark);
  EXPECT_EQ(reading->purpose, WaitPurpose::kEvent);
}

TEST_F(OnSemaphore, PythonRLockIsALock) {
  scene.frames =
      Frames({"sem_wait", "PyThread_acquire_lock_timed", "acquire_timed", "rlock_acquire"});
  const auto reading = scene.Decode();
  EXPECT_EQ(reading->type, "threading.RLock");
  EXPECT_EQ(reading->purpose, WaitPurpose::kAcquire);
}

TEST_F(OnSemaphore, OfAnybodyElseIsAnEvent) {
  scene.frames = Frames({"sem_wait", "worker", "main"});
  EXPECT_EQ(scene.Decode()->kind, ResourceKind::kSemaphore);
  EXPECT_EQ(scene.Decode()->purpose, WaitPurpose::kEvent);
}

}  // namespace
}  // namespace ct
