// --threads=N threads, one after another: each waits once for a mutex and ends. Starts at SIGUSR1,
// then says DONE and stays.
#include <atomic>
#include <mutex>
#include <thread>

#include "tests/targets/target.h"

std::mutex g_gate_mu;

namespace {

std::atomic<pid_t> g_waiter;

void WaitOnce() {
  NameThread("short");
  g_waiter = gettid();
  g_gate_mu.lock();  // LINE: short waits
  g_gate_mu.unlock();
}

// glibc writes 2 into the word before it waits: then it is in the call, or just before it.
bool SomebodyWaits() {
  return __atomic_load_n(&g_gate_mu.native_handle()->__data.__lock, __ATOMIC_SEQ_CST) == 2;
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  NameThread("gate");
  const long threads = NumberOption(argc, argv, "--threads", 10'000);
  sigset_t start;
  sigemptyset(&start);
  sigaddset(&start, SIGUSR1);
  sigprocmask(SIG_BLOCK, &start, nullptr);
  Ready();
  int signal = 0;
  sigwait(&start, &signal);
  for (long i = 0; i < threads; ++i) {
    g_gate_mu.lock();
    std::thread waiter(WaitOnce);
    while (!SomebodyWaits()) SleepMicroseconds(20);
    g_gate_mu.unlock();
    waiter.join();
  }
  printf("DONE\n");
  fflush(stdout);
  Park();
}
