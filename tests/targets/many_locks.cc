// --locks=N mutexes, each waited for once. Starts at SIGUSR1, then says DONE and stays.
#include <atomic>
#include <deque>
#include <mutex>
#include <thread>

#include "tests/targets/target.h"

namespace {

std::deque<std::mutex> g_locks;
std::atomic<std::size_t> g_next;  // the lock that the waiter may take

void TakeAll() {
  NameThread("taker");
  for (std::size_t i = 0; i < g_locks.size(); ++i) {
    while (g_next < i + 1) sched_yield();
    g_locks[i].lock();  // LINE: taker waits
    g_locks[i].unlock();
  }
}

bool SomebodyWaits(std::mutex& mutex) {
  return __atomic_load_n(&mutex.native_handle()->__data.__lock, __ATOMIC_SEQ_CST) == 2;
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  NameThread("giver");
  g_locks.resize(static_cast<std::size_t>(NumberOption(argc, argv, "--locks", 1000)));
  sigset_t start;
  sigemptyset(&start);
  sigaddset(&start, SIGUSR1);
  sigprocmask(SIG_BLOCK, &start, nullptr);
  std::thread(TakeAll).detach();
  Ready();
  int signal = 0;
  sigwait(&start, &signal);
  for (std::size_t i = 0; i < g_locks.size(); ++i) {
    g_locks[i].lock();
    g_next = i + 1;
    while (!SomebodyWaits(g_locks[i])) sched_yield();
    // In the call by now, most likely; who is not finds the word changed and does not wait.
    SleepMicroseconds(50);
    g_locks[i].unlock();
  }
  printf("DONE\n");
  fflush(stdout);
  Park();
}
