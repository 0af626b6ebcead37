// Built with -O2: a thread waits twenty times for a std::mutex that main holds for 20 ms, in
// functions that are all inlined into each other. As scripted_waits.cc: SIGUSR1, then "waited=NS",
// DONE.
#include <atomic>
#include <mutex>
#include <thread>

#include "tests/targets/target.h"

class Account {
 public:
  std::mutex mutex;
  void Deposit(long amount) {
    const std::lock_guard<std::mutex> lock(mutex);  // LINE: waiter waits
    balance_ += amount;
  }

 private:
  long balance_ = 0;
};
Account g_account;

namespace {

constexpr long kWaits = 20;
std::atomic<long> g_allowed;  // how many waits the waiter may begin
std::atomic<long> g_done;
std::atomic<pid_t> g_waiter_tid;
std::atomic<long> g_waited;

inline void PayOut(long amount) {
  const long long begin = NowNs();
  g_account.Deposit(-amount);  // LINE: waiter pays
  g_waited += static_cast<long>(NowNs() - begin);
}

void RunWaiter() {
  NameThread("waiter");
  g_waiter_tid = gettid();
  for (long i = 1; i <= kWaits; ++i) {
    while (g_allowed < i) SleepMicroseconds(100);
    PayOut(i);  // LINE: waiter runs
    g_done = i;
  }
  Park();
}

}  // namespace

int main() {
  DieWithParent();
  NameThread("releaser");
  sigset_t start;
  sigemptyset(&start);
  sigaddset(&start, SIGUSR1);
  sigprocmask(SIG_BLOCK, &start, nullptr);
  std::thread(RunWaiter).detach();
  while (g_waiter_tid == 0) SleepMicroseconds(100);
  Ready();
  int signal = 0;
  sigwait(&start, &signal);
  for (long i = 1; i <= kWaits; ++i) {
    g_account.mutex.lock();
    g_allowed = i;
    AwaitInFutex(getpid(), g_waiter_tid);
    SleepMicroseconds(20'000);
    g_account.mutex.unlock();
    while (g_done < i) SleepMicroseconds(100);
  }
  Fact("waited", g_waited);
  printf("DONE\n");
  fflush(stdout);
  Park();
}
