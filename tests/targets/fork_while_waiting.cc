// A process forks while one of its threads waits for a mutex: five times, and each child then has
// one wait of its own for its copy of that mutex; and once more, with a child that does nothing, in
// a wait that does not end. Starts at SIGUSR1; then says "waited=NS" (what the parent's waiter
// measured of its five waits), "child_N=PID" and "child_N_waited=NS", "idle_child=PID" and DONE.
#include <atomic>
#include <mutex>
#include <string>
#include <thread>

#include "tests/targets/target.h"

std::mutex g_mu;

namespace {

constexpr long kForks = 5;

std::atomic<long> g_allowed;  // how many waits the waiter may begin
std::atomic<long> g_done;
std::atomic<pid_t> g_waiter_tid;
std::atomic<long> g_waited;

void WaitOnce() {
  const long long begin = NowNs();
  g_mu.lock();
  g_waited += static_cast<long>(NowNs() - begin);
  g_mu.unlock();
}

void RunWaiter() {
  NameThread("waiter");
  g_waiter_tid = gettid();
  for (long i = 1;; ++i) {
    while (g_allowed < i) SleepMicroseconds(100);
    WaitOnce();
    g_done = i;
  }
}

// The lock is locked here, too, by this thread, and has no other thread that waits for it.
[[noreturn]] void RunChild(int answer) {
  DieWithParent();
  g_waited = 0;
  g_waiter_tid = 0;
  std::atomic<bool> done = false;
  std::thread heir([&done] {
    NameThread("heir");
    g_waiter_tid = gettid();
    WaitOnce();
    done = true;
    Park();
  });
  while (g_waiter_tid == 0) SleepMicroseconds(100);
  AwaitInFutex(getpid(), g_waiter_tid);
  SleepMicroseconds(20'000);
  g_mu.unlock();
  while (!done) SleepMicroseconds(100);
  const long waited = g_waited;
  if (write(answer, &waited, sizeof(waited)) != sizeof(waited)) abort();
  Park();
  abort();
}

void LetWait(long i) {
  g_mu.lock();
  g_allowed = i;
  AwaitInFutex(getpid(), g_waiter_tid);
}

}  // namespace

int main() {
  DieWithParent();
  NameThread("holder");
  sigset_t start;
  sigemptyset(&start);
  sigaddset(&start, SIGUSR1);
  sigprocmask(SIG_BLOCK, &start, nullptr);
  std::thread(RunWaiter).detach();
  while (g_waiter_tid == 0) SleepMicroseconds(100);
  Ready();
  int signal = 0;
  sigwait(&start, &signal);
  for (long i = 1; i <= kForks; ++i) {
    int ends[2];
    if (pipe(ends) != 0) abort();
    LetWait(i);
    const pid_t child = fork();
    if (child == 0) RunChild(ends[1]);
    long waited = 0;
    if (read(ends[0], &waited, sizeof(waited)) != sizeof(waited)) abort();
    g_mu.unlock();
    while (g_done < i) SleepMicroseconds(100);
    const std::string name = "child_" + std::to_string(i);
    Fact(name.c_str(), child);
    Fact((name + "_waited").c_str(), waited);
  }
  LetWait(kForks + 1);
  const pid_t child = fork();
  if (child == 0) {
    DieWithParent();
    Park();
  }
  Fact("idle_child", child);
  Fact("waited", g_waited);
  printf("DONE\n");
  fflush(stdout);
  Park();
}
