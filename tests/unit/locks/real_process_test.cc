// The layouts of the C library that this machine runs, from real processes: each test forks a
// child whose thread blocks, and decodes it from outside. Frames are written by hand: unwinding is
// another folder's.
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio_ext.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <latch>
#include <mutex>
#include <new>
#include <semaphore>
#include <shared_mutex>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/locks/fakes.h"

namespace ct {
namespace {

// What the child tells its parent, in memory that both map.
struct Report {
  std::atomic<pid_t> waiter;
  std::atomic<pid_t> holder;
  std::atomic<std::uint64_t> object;
  std::atomic<std::uint64_t> holder_pointer;
  std::atomic<std::uint64_t> waiter_pointer;
};

Report* g_report = nullptr;

void IAmWaiter() {
  g_report->waiter_pointer = pthread_self();
  g_report->waiter = gettid();
}
void IAmHolder(const void* object) {
  g_report->holder_pointer = pthread_self();
  g_report->object = reinterpret_cast<std::uint64_t>(object);
  g_report->holder = gettid();
}
void UntilHeld() {
  while (g_report->holder == 0) usleep(1000);
}
[[noreturn]] void Sleep() {
  while (true) pause();
}

// One thread takes the object and keeps it, another one then blocks on it.
template <class Take, class Block>
void HoldAndWait(const void* object, Take take, Block block) {
  std::thread holder([&] {
    take();
    IAmHolder(object);
    Sleep();
  });
  UntilHeld();
  std::thread waiter([&] {
    IAmWaiter();
    block();
  });
  Sleep();
}
// Nobody holds it: a condition, a semaphore, a barrier.
template <class Block>
void JustWait(const void* object, Block block) {
  g_report->object = reinterpret_cast<std::uint64_t>(object);
  std::thread waiter([&] {
    IAmWaiter();
    block();
  });
  Sleep();
}

timespec InAnHour(clockid_t clock = CLOCK_REALTIME) {
  timespec now{};
  clock_gettime(clock, &now);
  now.tv_sec += 3600;
  return now;
}

// A child that runs `scenario` until it is killed.
class Child {
 public:
  explicit Child(void (*scenario)()) {
    void* shared =
        mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    report_ = new (shared) Report();
    pid_ = fork();
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    g_report = report_;
    scenario();
    _exit(0);
  }
  ~Child() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    munmap(report_, sizeof(Report));
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  const Report& report() const { return *report_; }

  // Waits until the waiter sleeps in `syscall`; -1 in BlockedThread::syscall if it never does.
  BlockedThread Blocked(std::int64_t syscall = SYS_futex) const {
    for (int tries = 0; tries < 5000; ++tries, usleep(1000)) {
      const BlockedThread thread = Look();
      if (thread.syscall == syscall) return thread;
    }
    return {};
  }

 private:
  BlockedThread Look() const {
    BlockedThread thread;
    thread.ns_tid = report_->waiter;
    if (thread.ns_tid == 0) return thread;
    std::ifstream file("/proc/" + std::to_string(pid_) + "/task/" + std::to_string(thread.ns_tid) +
                       "/syscall");
    std::string number;
    file >> number;
    if (number.empty() || number == "running" || number == "-1") return thread;
    for (std::uint64_t& argument : thread.arguments) file >> std::hex >> argument;
    thread.syscall = std::stoll(number);
    return thread;
  }

  pid_t pid_ = 0;
  Report* report_ = nullptr;
};

class ChildThreads final : public ThreadDirectory {
 public:
  explicit ChildThreads(const Child& child) : child_(child) {}
  bool InSameSpace(pid_t tid) const override {
    return std::filesystem::exists("/proc/" + std::to_string(child_.pid()) + "/task/" +
                                   std::to_string(tid));
  }
  bool Exists(pid_t tid) const override {
    return std::filesystem::exists("/proc/" + std::to_string(tid));
  }
  pid_t ByThreadPointer(std::uint64_t pointer) const override {
    const Report& report = child_.report();
    if (pointer == report.holder_pointer) return report.holder;
    if (pointer == report.waiter_pointer) return report.waiter;
    return 0;
  }

 private:
  const Child& child_;
};

std::optional<WaitReading> DecodeChild(const Child& child,
                                       const std::vector<const char*>& functions,
                                       std::int64_t syscall = SYS_futex) {
  BlockedThread thread = child.Blocked(syscall);
  const std::vector<Frame> frames = Frames(functions);
  const std::vector<Module> modules{{"/usr/lib/x86_64-linux-gnu/libc.so.6", "", false}};
  thread.frames = frames;
  thread.modules = modules;
  ProcessMemory memory(child.pid());
  return DecodeWait(thread, memory, ChildThreads(child));
}

// For a wait that comes after another: looks again until it is of this kind.
std::optional<WaitReading> DecodeUntil(ResourceKind kind, const Child& child,
                                       const std::vector<const char*>& functions) {
  std::optional<WaitReading> reading;
  for (int tries = 0; tries < 1000; ++tries, usleep(1000)) {
    reading = DecodeChild(child, functions);
    if (reading && reading->kind == kind) break;
  }
  return reading;
}

// What every lock with a known owner must say of its child.
void ExpectHeldByHolder(const std::optional<WaitReading>& reading, const Child& child,
                        ResourceKind kind, const std::string& type) {
  ASSERT_TRUE(reading.has_value());
  EXPECT_EQ(reading->kind, kind);
  EXPECT_EQ(reading->type, type);
  EXPECT_EQ(reading->object, child.report().object);
  EXPECT_EQ(reading->owner_ns_tid, child.report().holder);
  EXPECT_TRUE(reading->holders_known);
  EXPECT_TRUE(reading->word_matches);
  EXPECT_EQ(reading->evidence, Evidence::kCertain) << reading->evidence_note;
}
void ExpectOwnerless(const std::optional<WaitReading>& reading, const Child& child,
                     ResourceKind kind, const std::string& type) {
  ASSERT_TRUE(reading.has_value());
  EXPECT_EQ(reading->kind, kind);
  EXPECT_EQ(reading->type, type);
  EXPECT_EQ(reading->object, child.report().object);
  EXPECT_EQ(reading->owner_ns_tid, 0);
  EXPECT_FALSE(reading->holders_known);
  EXPECT_TRUE(reading->word_matches);
  EXPECT_EQ(reading->evidence, Evidence::kCertain) << reading->evidence_note;
}

struct MutexCase {
  const char* name;
  const char* type;
  int kind = PTHREAD_MUTEX_NORMAL;
  int protocol = PTHREAD_PRIO_NONE;
  bool robust = false;
  bool shared = false;
  bool timed = false;
};
std::ostream& operator<<(std::ostream& out, const MutexCase& mutex) { return out << mutex.name; }

const MutexCase* g_mutex_case = nullptr;

void BlockOnMutex() {
  auto* mutex = static_cast<pthread_mutex_t*>(
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, g_mutex_case->kind);
  pthread_mutexattr_setprotocol(&attributes, g_mutex_case->protocol);
  if (g_mutex_case->robust) pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  if (g_mutex_case->shared) pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(mutex, &attributes);
  HoldAndWait(
      mutex, [&] { pthread_mutex_lock(mutex); },
      [&] {
        const timespec deadline = InAnHour();
        if (g_mutex_case->timed) {
          pthread_mutex_timedlock(mutex, &deadline);
        } else {
          pthread_mutex_lock(mutex);
        }
      });
}

class RealMutex : public testing::TestWithParam<MutexCase> {};

TEST_P(RealMutex, IsHeldByTheThreadThatLockedIt) {
  const MutexCase& mutex = GetParam();
  g_mutex_case = &mutex;
  const Child child(BlockOnMutex);
  auto reading = DecodeChild(
      child, {"__lll_lock_wait", mutex.timed ? "pthread_mutex_timedlock" : "___pthread_mutex_lock",
              "worker", "start_thread"});
  ExpectHeldByHolder(reading, child, ResourceKind::kMutex, mutex.type);
  EXPECT_EQ(reading->purpose, WaitPurpose::kAcquire);
  EXPECT_EQ(reading->implementation, Implementation::kGlibc);
  EXPECT_EQ(reading->timed, mutex.timed);
  EXPECT_EQ(reading->timeout_ns.has_value(), mutex.timed);
  EXPECT_EQ(reading->timeout_is_absolute, mutex.timed);
  EXPECT_EQ(reading->timeout_is_realtime, mutex.timed);
  EXPECT_EQ(reading->robust, mutex.robust);
  EXPECT_FALSE(reading->owner_died);
  // The kernel wakes the waiters of a robust mutex without the private flag, so glibc has none.
  const bool has_private_flag = !mutex.shared && !mutex.robust;
  EXPECT_EQ(reading->process_shared, !has_private_flag);

  ProcessMemory memory(child.pid());
  EXPECT_TRUE(RefreshOwner(*reading, memory, ChildThreads(child)));
  EXPECT_EQ(reading->owner_ns_tid, child.report().holder);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, RealMutex,
    testing::Values(MutexCase{.name = "normal", .type = "pthread_mutex_t"},
                    MutexCase{.name = "recursive",
                              .type = "pthread_mutex_t (recursive)",
                              .kind = PTHREAD_MUTEX_RECURSIVE},
                    MutexCase{.name = "errorcheck",
                              .type = "pthread_mutex_t (error-checking)",
                              .kind = PTHREAD_MUTEX_ERRORCHECK},
                    MutexCase{.name = "adaptive",
                              .type = "pthread_mutex_t (adaptive)",
                              .kind = PTHREAD_MUTEX_ADAPTIVE_NP},
                    MutexCase{.name = "timed", .type = "pthread_mutex_t", .timed = true},
                    MutexCase{.name = "robust", .type = "pthread_mutex_t (robust)", .robust = true},
                    MutexCase{.name = "robust_timed",
                              .type = "pthread_mutex_t (robust)",
                              .robust = true,
                              .timed = true},
                    MutexCase{.name = "priority_inheritance",
                              .type = "pthread_mutex_t (priority inheritance)",
                              .protocol = PTHREAD_PRIO_INHERIT},
                    MutexCase{.name = "priority_inheritance_timed",
                              .type = "pthread_mutex_t (priority inheritance)",
                              .protocol = PTHREAD_PRIO_INHERIT,
                              .timed = true},
                    MutexCase{.name = "priority_inheritance_robust",
                              .type = "pthread_mutex_t (robust, priority inheritance)",
                              .protocol = PTHREAD_PRIO_INHERIT,
                              .robust = true},
                    MutexCase{.name = "process_shared",
                              .type = "pthread_mutex_t (process-shared)",
                              .shared = true}),
    [](const auto& test) { return test.param.name; });

TEST(RealMutexWithoutFrames, IsOnlyProbable) {
  static constexpr MutexCase kNormal{.name = "normal", .type = "pthread_mutex_t"};
  g_mutex_case = &kNormal;
  const Child child(BlockOnMutex);
  const auto reading = DecodeChild(child, {});
  ASSERT_TRUE(reading.has_value());
  EXPECT_EQ(reading->kind, ResourceKind::kMutex);
  EXPECT_EQ(reading->owner_ns_tid, child.report().holder);
  EXPECT_EQ(reading->evidence, Evidence::kProbable);
}

pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t g_condition = PTHREAD_COND_INITIALIZER;
pthread_rwlock_t g_rwlock = PTHREAD_RWLOCK_INITIALIZER;

// The waiter of a signalled condition sleeps in pthread_cond_wait, but on the mutex.
TEST(RealCondition, TakingTheMutexAgainIsAMutexWait) {
  const Child child([] {
    static std::atomic<bool> waiting = false;
    std::thread waiter([] {
      pthread_mutex_lock(&g_mutex);
      waiting = true;
      pthread_cond_wait(&g_condition, &g_mutex);
    });
    std::thread holder([&] {
      while (!waiting) usleep(1000);
      pthread_mutex_lock(&g_mutex);
      pthread_cond_signal(&g_condition);
      IAmHolder(&g_mutex);
      Sleep();
    });
    UntilHeld();
    usleep(50'000);
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      const pid_t tid = std::stoi(task.path().filename());
      if (tid != getpid() && tid != g_report->holder) g_report->waiter = tid;
    }
    Sleep();
  });
  const auto reading = DecodeUntil(ResourceKind::kMutex, child,
                                   {"pthread_cond_wait", "pthread_cond_wait", "worker"});
  ExpectHeldByHolder(reading, child, ResourceKind::kMutex, "pthread_mutex_t");
  EXPECT_EQ(reading->evidence_note, "owner word, frames in pthread_cond_wait");
}

TEST(RealRwLock, WriterBehindWriter) {
  const Child child([] {
    HoldAndWait(
        &g_rwlock, [] { pthread_rwlock_wrlock(&g_rwlock); },
        [] { pthread_rwlock_wrlock(&g_rwlock); });
  });
  const auto reading = DecodeChild(child, {"pthread_rwlock_wrlock", "worker"});
  ExpectHeldByHolder(reading, child, ResourceKind::kRwLock, "pthread_rwlock_t");
  EXPECT_EQ(reading->mode, AccessMode::kExclusive);
  EXPECT_FALSE(reading->process_shared);
}

TEST(RealRwLock, ReaderBehindWriter) {
  const Child child([] {
    HoldAndWait(
        &g_rwlock, [] { pthread_rwlock_wrlock(&g_rwlock); },
        [] { pthread_rwlock_rdlock(&g_rwlock); });
  });
  const auto reading = DecodeChild(child, {"pthread_rwlock_rdlock", "worker"});
  ExpectHeldByHolder(reading, child, ResourceKind::kRwLock, "pthread_rwlock_t");
  EXPECT_EQ(reading->mode, AccessMode::kShared);
}

TEST(RealRwLock, WriterBehindReadersNamesNobody) {
  const Child child([] {
    HoldAndWait(
        &g_rwlock, [] { pthread_rwlock_rdlock(&g_rwlock); },
        [] { pthread_rwlock_wrlock(&g_rwlock); });
  });
  const auto reading = DecodeChild(child, {"pthread_rwlock_wrlock", "worker"});
  ExpectOwnerless(reading, child, ResourceKind::kRwLock, "pthread_rwlock_t");
  EXPECT_EQ(reading->evidence_note,
            "held by 1 reader that the lock does not name, frames in pthread_rwlock_wrlock");
  EXPECT_EQ(reading->purpose, WaitPurpose::kAcquire);
}

TEST(RealRwLock, ReaderBehindAWaitingWriterNamesNobody) {
  const Child child([] {
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&g_rwlock, &attributes);
    HoldAndWait(
        &g_rwlock,
        [] {
          pthread_rwlock_rdlock(&g_rwlock);
          std::thread([] { pthread_rwlock_wrlock(&g_rwlock); }).detach();
          while (g_rwlock.__data.__writers_futex == 0) usleep(1000);  // until it waits
        },
        [] { pthread_rwlock_rdlock(&g_rwlock); });
  });
  const auto reading = DecodeChild(child, {"pthread_rwlock_rdlock", "worker"});
  ExpectOwnerless(reading, child, ResourceKind::kRwLock, "pthread_rwlock_t");
  EXPECT_EQ(reading->mode, AccessMode::kShared);
}

TEST(RealRwLock, TimedWriterOnTheMonotonicClock) {
  const Child child([] {
    HoldAndWait(
        &g_rwlock, [] { pthread_rwlock_wrlock(&g_rwlock); },
        [] {
          const timespec deadline = InAnHour(CLOCK_MONOTONIC);
          pthread_rwlock_clockwrlock(&g_rwlock, CLOCK_MONOTONIC, &deadline);
        });
  });
  const auto reading = DecodeChild(child, {"pthread_rwlock_clockwrlock", "worker"});
  ExpectHeldByHolder(reading, child, ResourceKind::kRwLock, "pthread_rwlock_t");
  EXPECT_TRUE(reading->timed);
  EXPECT_TRUE(reading->timeout_is_absolute);
  EXPECT_FALSE(reading->timeout_is_realtime);
}

TEST(RealCondition, IsAnEvent) {
  const Child child([] {
    JustWait(&g_condition, [] {
      pthread_mutex_lock(&g_mutex);
      pthread_cond_wait(&g_condition, &g_mutex);
    });
  });
  const auto reading = DecodeChild(child, {"pthread_cond_wait", "worker"});
  ExpectOwnerless(reading, child, ResourceKind::kCondition, "pthread_cond_t");
  EXPECT_EQ(reading->purpose, WaitPurpose::kEvent);
}

// After a signal the waiters sleep on the other of the two words.
TEST(RealCondition, IsFoundWhicheverGroupItsWaiterIsIn) {
  const Child child([] {
    static std::atomic<int> rounds = 0;
    std::thread([] {
      while (rounds < 3) {
        pthread_cond_signal(&g_condition);
        usleep(2000);
      }
    }).detach();
    JustWait(&g_condition, [] {
      pthread_mutex_lock(&g_mutex);
      for (; rounds < 3; ++rounds) pthread_cond_wait(&g_condition, &g_mutex);
      usleep(20'000);
      while (true) pthread_cond_wait(&g_condition, &g_mutex);
    });
  });
  usleep(100'000);
  const auto reading = DecodeChild(child, {"pthread_cond_wait", "worker"});
  ExpectOwnerless(reading, child, ResourceKind::kCondition, "pthread_cond_t");
}

TEST(RealCondition, InSharedMemoryWithATimeout) {
  const Child child([] {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&g_condition, &attributes);
    JustWait(&g_condition, [] {
      const timespec deadline = InAnHour(CLOCK_MONOTONIC);
      pthread_mutex_lock(&g_mutex);
      pthread_cond_timedwait(&g_condition, &g_mutex, &deadline);
    });
  });
  const auto reading = DecodeChild(child, {"pthread_cond_timedwait", "worker"});
  ExpectOwnerless(reading, child, ResourceKind::kCondition, "pthread_cond_t");
  EXPECT_TRUE(reading->process_shared);
  EXPECT_TRUE(reading->timed);
  EXPECT_FALSE(reading->timeout_is_realtime);
}

TEST(RealSemaphore, IsAnEvent) {
  const Child child([] {
    static sem_t semaphore;
    sem_init(&semaphore, 0, 0);
    JustWait(&semaphore, [] { sem_wait(&semaphore); });
  });
  const auto reading = DecodeChild(child, {"sem_wait", "worker"});
  ExpectOwnerless(reading, child, ResourceKind::kSemaphore, "sem_t");
  EXPECT_EQ(reading->purpose, WaitPurpose::kEvent);
}

TEST(RealSemaphore, SharedAndTimed) {
  const Child child([] {
    static sem_t semaphore;
    sem_init(&semaphore, 1, 0);
    JustWait(&semaphore, [] {
      const timespec deadline = InAnHour();
      sem_timedwait(&semaphore, &deadline);
    });
  });
  const auto reading = DecodeChild(child, {"sem_timedwait", "worker"});
  ExpectOwnerless(reading, child, ResourceKind::kSemaphore, "sem_t");
  EXPECT_TRUE(reading->process_shared);
  EXPECT_TRUE(reading->timeout_is_realtime);
}

TEST(RealBarrier, SaysHowManyHaveArrived) {
  const Child child([] {
    static pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, nullptr, 3);
    JustWait(&barrier, [] { pthread_barrier_wait(&barrier); });
  });
  const auto reading = DecodeChild(child, {"pthread_barrier_wait", "worker"});
  ExpectOwnerless(reading, child, ResourceKind::kBarrier, "pthread_barrier_t");
  EXPECT_EQ(reading->capacity, 3u);
  EXPECT_EQ(reading->evidence_note, "1 of 3 threads arrived, frames in pthread_barrier_wait");
}

TEST(RealJoin, IsHeldByTheJoinedThread) {
  const Child child([] {
    static pthread_t joined;
    pthread_create(
        &joined, nullptr,
        [](void*) -> void* {
          IAmHolder(nullptr);
          Sleep();
        },
        nullptr);
    UntilHeld();
    IAmWaiter();
    pthread_join(joined, nullptr);
  });
  const auto reading = DecodeChild(child, {"pthread_join", "main"});
  ASSERT_TRUE(reading.has_value());
  EXPECT_EQ(reading->kind, ResourceKind::kThreadExit);
  EXPECT_EQ(reading->type, "pthread_t");
  EXPECT_EQ(reading->purpose, WaitPurpose::kJoin);
  EXPECT_EQ(reading->owner_ns_tid, child.report().holder);
  EXPECT_TRUE(reading->holders_known);
  EXPECT_FALSE(reading->process_shared);
  EXPECT_EQ(reading->evidence, Evidence::kCertain);

  const auto unnamed = DecodeChild(child, {});
  EXPECT_EQ(unnamed->kind, ResourceKind::kThreadExit);
  EXPECT_EQ(unnamed->owner_ns_tid, child.report().holder);
  EXPECT_EQ(unnamed->evidence, Evidence::kProbable);
}

TEST(RealOnce, IsAnEventOfNobody) {
  const Child child([] {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    HoldAndWait(
        &once,
        [] {
          pthread_once(&once, [] {
            IAmHolder(&once);
            Sleep();
          });
        },
        [] { pthread_once(&once, [] {}); });
  });
  ExpectOwnerless(DecodeChild(child, {"pthread_once", "worker"}), child, ResourceKind::kOnce,
                  "pthread_once_t");
}

TEST(RealStdio, IsHeldByTheThreadWhosePointerItKeeps) {
  const Child child([] {
    HoldAndWait(
        stdout->_lock, [] { flockfile(stdout); }, [] { putchar('x'); });
  });
  const auto reading = DecodeChild(child, {"__lll_lock_wait_private", "putchar", "worker"});
  ExpectHeldByHolder(reading, child, ResourceKind::kStdioLock, "FILE lock");
  EXPECT_EQ(reading->purpose, WaitPurpose::kAcquire);
}

TEST(RealAtomicWait, HasNoHolder) {
  const Child child([] {
    static std::atomic<int> value = 7;
    JustWait(&value, [] { value.wait(7); });
  });
  const auto reading = DecodeChild(
      child, {"syscall", "std::__atomic_base<int>::wait(int, std::memory_order) const", "worker"});
  ExpectOwnerless(reading, child, ResourceKind::kAtomicWait, "std::atomic::wait");
  EXPECT_EQ(reading->purpose, WaitPurpose::kEvent);
}

TEST(RealFuture, HasNoHolder) {
  const Child child([] {
    static std::promise<int> promise;
    static std::future<int> future = promise.get_future();
    JustWait(nullptr, [] { future.get(); });
  });
  const auto reading = DecodeChild(
      child, {"syscall",
              "std::__atomic_futex_unsigned_base::_M_futex_wait_until(unsigned int*, unsigned int, "
              "bool, std::chrono::duration<long>, std::chrono::duration<long>)",
              "worker"});
  ASSERT_TRUE(reading.has_value());
  EXPECT_EQ(reading->kind, ResourceKind::kFuture);
  EXPECT_EQ(reading->type, "std::future");
  EXPECT_EQ(reading->owner_ns_tid, 0);
  EXPECT_EQ(reading->evidence, Evidence::kCertain);

  const auto unnamed = DecodeChild(child, {"syscall", "worker"});
  EXPECT_EQ(unnamed->kind, ResourceKind::kFuture);
  EXPECT_EQ(unnamed->evidence, Evidence::kProbable);
}

struct SlowToBuild {
  SlowToBuild() {
    IAmHolder(nullptr);
    Sleep();
  }
};
void UseSlowToBuild() { static SlowToBuild slow; }

TEST(RealStaticInitializer, IsToldByItsGuardEvenWithoutFrames) {
  const Child child([] { HoldAndWait(nullptr, UseSlowToBuild, UseSlowToBuild); });
  const auto reading = DecodeChild(child, {"syscall", "__cxa_guard_acquire", "worker"});
  ASSERT_TRUE(reading.has_value());
  EXPECT_EQ(reading->kind, ResourceKind::kOnce);
  EXPECT_EQ(reading->type, "static initializer");
  EXPECT_EQ(reading->evidence, Evidence::kCertain);
  const auto unnamed = DecodeChild(child, {});
  EXPECT_EQ(unnamed->kind, ResourceKind::kOnce);
  EXPECT_EQ(unnamed->evidence, Evidence::kProbable);
}

TEST(RealCppTypes, AreNamedAsTheUserWroteThem) {
  const Child child([] {
    static std::timed_mutex mutex;
    HoldAndWait(
        &mutex, [] { mutex.lock(); }, [] { (void)mutex.try_lock_for(std::chrono::hours(1)); });
  });
  const auto reading = DecodeChild(
      child, {"pthread_mutex_clocklock", "std::timed_mutex::_M_clocklock(int, timespec const&)",
              "std::__timed_mutex_impl<std::timed_mutex>::_M_try_lock_for<long>()", "worker"});
  ExpectHeldByHolder(reading, child, ResourceKind::kMutex, "std::timed_mutex");
  EXPECT_FALSE(reading->timeout_is_realtime);
}

// A stop (SIGSTOP, a debugger) makes a timed wait go on as restart_syscall.
TEST(RealRestartedWait, IsStillTheSameWait) {
  const Child child([] {
    static sem_t semaphore;
    sem_init(&semaphore, 0, 0);
    JustWait(&semaphore, [] {
      const timespec deadline = InAnHour();
      sem_timedwait(&semaphore, &deadline);
    });
  });
  const BlockedThread before = child.Blocked();
  ASSERT_EQ(before.syscall, SYS_futex);
  const pid_t tid = child.report().waiter;
  ASSERT_EQ(ptrace(PTRACE_SEIZE, tid, nullptr, nullptr), 0);
  ASSERT_EQ(ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr), 0);
  ASSERT_EQ(waitpid(tid, nullptr, __WALL), tid);
  ASSERT_EQ(ptrace(PTRACE_DETACH, tid, nullptr, nullptr), 0);
  const auto reading = DecodeChild(child, {"sem_timedwait", "worker"}, SYS_restart_syscall);
  ExpectOwnerless(reading, child, ResourceKind::kSemaphore, "sem_t");
  EXPECT_TRUE(reading->timed);
  EXPECT_FALSE(DecodeChild(child, {"__GI___poll", "worker"}, SYS_restart_syscall).has_value());
}

}  // namespace
}  // namespace ct
