// A known number of waits of a known length, one after another, of the kind --kind=NAME says.
// Starts at SIGUSR1; then prints "waited=NS" (the sum of all waits as the waiter measured it) and
// DONE, and stays.
//   --count=N  waits (default 20)   --milliseconds=M  each is let go after so long (default 5)
#include <semaphore.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <latch>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/targets/target.h"

// Newer than Debian 12's headers: arch/x86/entry/syscalls/syscall_64.tbl
constexpr long kFutexWaitv = 449;
constexpr long kFutexWake = 454;
constexpr long kFutexWait = 455;
constexpr int kLockPi2 = 13;
constexpr unsigned kFutex2Private32 = 0x80 | 0x2;  // FUTEX2_PRIVATE | FUTEX2_SIZE_U32

std::uint32_t g_word;
std::uint32_t g_target_word;
std::mutex g_mutex;
std::recursive_mutex g_recursive;
std::timed_mutex g_timed;
pthread_mutex_t g_robust;
pthread_mutex_t g_pi;
pthread_rwlock_t g_rwlock = PTHREAD_RWLOCK_INITIALIZER;
pthread_cond_t g_condition = PTHREAD_COND_INITIALIZER;
pthread_mutex_t g_condition_mutex = PTHREAD_MUTEX_INITIALIZER;
sem_t g_semaphore;
pthread_barrier_t g_barrier;
std::atomic<int> g_atomic;

namespace {

std::atomic<long> g_allowed;  // how many waits the waiter may begin
std::atomic<long> g_begun;    // how many it has begun, or is about to
std::atomic<long> g_done;     // how many it has done
std::atomic<pid_t> g_waiter_tid;
std::atomic<std::uint64_t> g_waited;

long Futex(std::uint32_t* word, int operation, std::uint32_t value, const void* timeout = nullptr,
           std::uint32_t* word2 = nullptr, std::uint32_t value3 = 0) {
  return syscall(SYS_futex, word, operation, value, timeout, word2, value3);
}

void Set(std::uint32_t* word, std::uint32_t value) {
  __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

timespec InAMinute() {
  timespec when{};
  clock_gettime(CLOCK_REALTIME, &when);
  when.tv_sec += 60;
  return when;
}

// One kind of wait: what is done before it, the wait itself, what ends it, and what the waiter does
// after it.
struct Kind {
  std::function<void()> prepare;
  std::function<void()> wait;
  std::function<void()> release;
  std::function<void()> after = [] {};
};

void WakeWord() {
  Set(&g_word, 1);
  Futex(&g_word, FUTEX_WAKE_PRIVATE, 1);
}

void ClearWord() { Set(&g_word, 0); }

Kind OnWord(int operation) {
  const int wake = operation & FUTEX_PRIVATE_FLAG ? FUTEX_WAKE_PRIVATE : FUTEX_WAKE;
  return {ClearWord,
          [operation] { Futex(&g_word, operation, 0, nullptr, nullptr, FUTEX_BITSET_MATCH_ANY); },
          [wake] {
            Set(&g_word, 1);
            Futex(&g_word, wake, 1);
          }};
}

Kind OnPiWord(int operation) {
  return {[] { Set(&g_word, static_cast<std::uint32_t>(gettid())); },
          [operation] { Futex(&g_word, operation, 0); },
          [] { Futex(&g_word, FUTEX_UNLOCK_PI_PRIVATE, 0); },
          [] { Futex(&g_word, FUTEX_UNLOCK_PI_PRIVATE, 0); }};
}

// The waiter waits on one word, is moved to a second, PI one, and gets that.
Kind RequeuePi() {
  return {[] {
            Set(&g_word, 0);
            Set(&g_target_word, static_cast<std::uint32_t>(gettid()));
          },
          [] { Futex(&g_word, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, nullptr, &g_target_word); },
          [] {
            // How many may be moved stands where other calls have their timeout.
            Futex(&g_word, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, nullptr, &g_target_word, 0);
            Futex(&g_target_word, FUTEX_UNLOCK_PI_PRIVATE, 0);
          },
          [] { Futex(&g_target_word, FUTEX_UNLOCK_PI_PRIVATE, 0); }};
}

Kind Requeue() {
  return {ClearWord, [] { Futex(&g_word, FUTEX_WAIT_PRIVATE, 0); },
          [] {
            Futex(&g_word, FUTEX_CMP_REQUEUE_PRIVATE, 0,
                  reinterpret_cast<const void*>(std::uintptr_t{1}), &g_target_word, 0);
            Futex(&g_target_word, FUTEX_WAKE_PRIVATE, 1);
          }};
}

struct Waitv {
  std::uint64_t value;
  std::uint64_t address;
  std::uint32_t flags;
  std::uint32_t reserved;
};

Kind OnSeveralWords() {
  return {ClearWord,
          [] {
            Waitv words[2] = {
                {0, reinterpret_cast<std::uintptr_t>(&g_word), kFutex2Private32, 0},
                {0, reinterpret_cast<std::uintptr_t>(&g_target_word), kFutex2Private32, 0}};
            syscall(kFutexWaitv, words, 2, 0, nullptr, 0);
          },
          WakeWord};
}

Kind OnWordByNewCall() {
  return {ClearWord,
          [] { syscall(kFutexWait, &g_word, 0UL, 0xffffffffUL, kFutex2Private32, nullptr, 0); },
          [] {
            Set(&g_word, 1);
            syscall(kFutexWake, &g_word, 0xffffffffUL, 1, kFutex2Private32);
          }};
}

Kind Timeout(long milliseconds) {
  return {ClearWord,
          [milliseconds] {
            const timespec timeout{0, milliseconds * 1'000'000};
            Futex(&g_word, FUTEX_WAIT_PRIVATE, 0, &timeout);
          },
          [] {}};
}

// Calls that find another value than they expect: no waits.
Kind Refused() {
  return {[] { Set(&g_word, 1); },
          [] {
            for (int i = 0; i < 100; ++i) Futex(&g_word, FUTEX_WAIT_PRIVATE, 0);
          },
          [] {}};
}

void OnSignal(int) {}

void CatchSignal(int flags) {
  struct sigaction action {};
  action.sa_handler = OnSignal;
  action.sa_flags = flags;
  sigaction(SIGUSR2, &action, nullptr);
}

// Each wait is interrupted, and its thread goes on to something else.
Kind GivenUp() {
  CatchSignal(0);
  return {ClearWord, [] { Futex(&g_word, FUTEX_WAIT_PRIVATE, 0); },
          [] { syscall(SYS_tgkill, getpid(), g_waiter_tid.load(), SIGUSR2); },
          [] {
            for (int i = 0; i < 3; ++i) SleepMicroseconds(10'000);
          }};
}

// Each wait is interrupted twice, and goes on.
Kind Interrupted(int flags) {
  CatchSignal(flags);
  return {ClearWord,
          [] {
            while (__atomic_load_n(&g_word, __ATOMIC_SEQ_CST) == 0) {
              Futex(&g_word, FUTEX_WAIT_PRIVATE, 0);
            }
          },
          [] {
            for (int i = 0; i < 2; ++i) {
              syscall(SYS_tgkill, getpid(), g_waiter_tid.load(), SIGUSR2);
              SleepMicroseconds(1000);
            }
            WakeWord();
          }};
}

template <class Mutex>
Kind Locked(Mutex& mutex) {
  return {[&mutex] { mutex.lock(); }, [&mutex] { mutex.lock(); },  // LINE: mutex waits
          [&mutex] { mutex.unlock(); }, [&mutex] { mutex.unlock(); }};
}

Kind Locked(pthread_mutex_t& mutex) {
  return {[&mutex] { pthread_mutex_lock(&mutex); }, [&mutex] { pthread_mutex_lock(&mutex); },
          [&mutex] { pthread_mutex_unlock(&mutex); }, [&mutex] { pthread_mutex_unlock(&mutex); }};
}

// One wait, and a handled signal every 5 ms for 300 ms of it.
Kind Storm(int flags) {
  CatchSignal(flags);
  Kind kind = Locked(g_mutex);
  kind.release = [] {
    for (int i = 0; i < 60; ++i) {
      syscall(SYS_tgkill, getpid(), g_waiter_tid.load(), SIGUSR2);
      SleepMicroseconds(5000);
    }
    g_mutex.unlock();
  };
  return kind;
}

Kind TimedLock() {
  return {[] { g_timed.lock(); },
          [] { static_cast<void>(g_timed.try_lock_for(std::chrono::minutes(1))); },
          [] { g_timed.unlock(); }, [] { g_timed.unlock(); }};
}

// The waiter gives up; who holds the mutex lets go of it only for the next wait.
Kind LockGivenUp(long milliseconds) {
  static bool held;
  return {[] {
            if (held) g_timed.unlock();
            g_timed.lock();
            held = true;
          },
          [milliseconds] {
            static_cast<void>(g_timed.try_lock_for(std::chrono::milliseconds(milliseconds)));
          },
          [] {}};
}

Kind ReadLocked() {
  return {[] { pthread_rwlock_wrlock(&g_rwlock); }, [] { pthread_rwlock_rdlock(&g_rwlock); },
          [] { pthread_rwlock_unlock(&g_rwlock); }, [] { pthread_rwlock_unlock(&g_rwlock); }};
}

Kind WriteLocked() {
  return {[] { pthread_rwlock_wrlock(&g_rwlock); }, [] { pthread_rwlock_wrlock(&g_rwlock); },
          [] { pthread_rwlock_unlock(&g_rwlock); }, [] { pthread_rwlock_unlock(&g_rwlock); }};
}

Kind Condition() {
  return {[] {},
          [] {
            pthread_mutex_lock(&g_condition_mutex);
            pthread_cond_wait(&g_condition, &g_condition_mutex);
            pthread_mutex_unlock(&g_condition_mutex);
          },
          [] { pthread_cond_signal(&g_condition); }};
}

Kind Semaphore() {
  return {[] {}, [] { sem_wait(&g_semaphore); }, [] { sem_post(&g_semaphore); }};
}

Kind TimedSemaphore() {
  return {[] {},
          [] {
            const timespec when = InAMinute();
            sem_timedwait(&g_semaphore, &when);
          },
          [] { sem_post(&g_semaphore); }};
}

Kind Barrier() {
  return {[] {}, [] { pthread_barrier_wait(&g_barrier); },
          [] { pthread_barrier_wait(&g_barrier); }};
}

Kind Atomic() {
  return {[] { g_atomic = 0; }, [] { g_atomic.wait(0); },
          [] {
            g_atomic = 1;
            g_atomic.notify_all();
          }};
}

// The waiter joins a thread that ends when it is told to.
Kind Join() {
  static pthread_t joined;
  static std::atomic<bool> end;
  return {[] {
            end = false;
            pthread_create(
                &joined, nullptr,
                [](void*) -> void* {
                  while (!end) SleepMicroseconds(200);
                  return nullptr;
                },
                nullptr);
          },
          [] { pthread_join(joined, nullptr); }, [] { end = true; }};
}

// A mutex that a child process lets go of.
Kind SharedMutex() {
  struct Shared {
    pthread_mutex_t mutex;
    std::atomic<int> release;
    std::atomic<int> locked;
  };
  static Shared* const shared = static_cast<Shared*>(
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&shared->mutex, &attributes);
  if (fork() == 0) {
    DieWithParent();
    NameThread("neighbour");
    for (int round = 1;; ++round) {
      while (shared->release < 0) SleepMicroseconds(100);
      pthread_mutex_lock(&shared->mutex);
      shared->locked = round;
      while (shared->release != round) SleepMicroseconds(100);
      pthread_mutex_unlock(&shared->mutex);
      shared->locked = 0;
      while (shared->release == round) SleepMicroseconds(100);
    }
  }
  static int round;
  return {[] {
            ++round;
            shared->release = 0;
            while (shared->locked != round) SleepMicroseconds(100);
          },
          [] { pthread_mutex_lock(&shared->mutex); }, [] { shared->release = round; },
          [] { pthread_mutex_unlock(&shared->mutex); }};
}

std::map<std::string, std::function<Kind(long)>> Kinds() {
  return {
      {"wait", [](long) { return OnWord(FUTEX_WAIT_PRIVATE); }},
      {"wait_shared", [](long) { return OnWord(FUTEX_WAIT); }},
      {"wait_bitset", [](long) { return OnWord(FUTEX_WAIT_BITSET_PRIVATE); }},
      {"lock_pi", [](long) { return OnPiWord(FUTEX_LOCK_PI_PRIVATE); }},
      {"lock_pi2", [](long) { return OnPiWord(kLockPi2 | FUTEX_PRIVATE_FLAG); }},
      {"requeue", [](long) { return Requeue(); }},
      {"requeue_pi", [](long) { return RequeuePi(); }},
      {"waitv", [](long) { return OnSeveralWords(); }},
      {"futex_wait", [](long) { return OnWordByNewCall(); }},
      {"timeout", Timeout},
      {"refused", [](long) { return Refused(); }},
      {"restarted", [](long) { return Interrupted(SA_RESTART); }},
      {"interrupted", [](long) { return Interrupted(0); }},
      {"given_up", [](long) { return GivenUp(); }},
      {"storm", [](long) { return Storm(SA_RESTART); }},
      {"storm_interrupted", [](long) { return Storm(0); }},
      {"mutex", [](long) { return Locked(g_mutex); }},
      {"recursive", [](long) { return Locked(g_recursive); }},
      {"timed_mutex", [](long) { return TimedLock(); }},
      {"timed_out_mutex", LockGivenUp},
      {"robust", [](long) { return Locked(g_robust); }},
      {"pi_mutex", [](long) { return Locked(g_pi); }},
      {"shared_mutex", [](long) { return SharedMutex(); }},
      {"rdlock", [](long) { return ReadLocked(); }},
      {"wrlock", [](long) { return WriteLocked(); }},
      {"condition", [](long) { return Condition(); }},
      {"semaphore", [](long) { return Semaphore(); }},
      {"timed_semaphore", [](long) { return TimedSemaphore(); }},
      {"barrier", [](long) { return Barrier(); }},
      {"atomic", [](long) { return Atomic(); }},
      {"join", [](long) { return Join(); }},
  };
}

std::uint64_t Now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

// Until the waiter sleeps in the kernel; gives up where it does not mean to.
void AwaitAsleep() {
  const std::string path = "/proc/self/task/" + std::to_string(g_waiter_tid) + "/stat";
  for (int i = 0; i < 20; ++i) {
    char text[512] = {};
    if (FILE* file = fopen(path.c_str(), "r")) {
      const char* end = fread(text, 1, sizeof(text) - 1, file) > 0 ? strrchr(text, ')') : nullptr;
      fclose(file);
      if (end != nullptr && end[1] != '\0' && end[2] == 'S') return;
    }
    SleepMicroseconds(500);
  }
}

void RunWaiter(const Kind& kind, long count) {
  NameThread("waiter");
  g_waiter_tid = gettid();
  for (long i = 1; i <= count; ++i) {
    while (g_allowed < i) SleepMicroseconds(100);
    g_begun = i;
    const std::uint64_t begin = Now();
    kind.wait();
    g_waited += Now() - begin;
    kind.after();
    g_done = i;
  }
  Park();
}

pthread_mutexattr_t MutexAttributes(int robust, int protocol) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, robust);
  pthread_mutexattr_setprotocol(&attributes, protocol);
  return attributes;
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  NameThread("releaser");
  const long count = NumberOption(argc, argv, "--count", 20);
  const long milliseconds = NumberOption(argc, argv, "--milliseconds", 5);
  std::string name = "wait";
  for (int i = 1; i < argc; ++i) {
    if (strncmp(argv[i], "--kind=", 7) == 0) name = argv[i] + 7;
  }
  const auto kinds = Kinds();
  if (!kinds.contains(name)) return 2;
  const auto robust = MutexAttributes(PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE);
  const auto inherits = MutexAttributes(PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_INHERIT);
  pthread_mutex_init(&g_robust, &robust);
  pthread_mutex_init(&g_pi, &inherits);
  sem_init(&g_semaphore, 0, 0);
  pthread_barrier_init(&g_barrier, nullptr, 2);
  sigset_t start;
  sigemptyset(&start);
  sigaddset(&start, SIGUSR1);
  sigprocmask(SIG_BLOCK, &start, nullptr);

  const Kind kind = kinds.at(name)(milliseconds);
  std::thread(RunWaiter, kind, count).detach();
  while (g_waiter_tid == 0) SleepMicroseconds(100);
  Ready();
  int signal = 0;
  sigwait(&start, &signal);
  for (long i = 1; i <= count; ++i) {
    kind.prepare();
    g_allowed = i;
    while (g_begun < i) SleepMicroseconds(50);
    AwaitAsleep();
    SleepMicroseconds(milliseconds * 1000);
    kind.release();
    while (g_done < i) SleepMicroseconds(50);
  }
  Fact("waited", static_cast<long>(g_waited.load()));
  printf("DONE\n");
  fflush(stdout);
  Park();
}
