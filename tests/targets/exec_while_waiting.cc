// A thread waits for a mutex while its process becomes another program: its wait ends with it.
// Starts at SIGUSR1; the new program says DONE and stays.
#include <mutex>
#include <thread>

#include "tests/targets/target.h"

std::mutex g_never_mu;

int main() {
  DieWithParent();
  sigset_t start;
  sigemptyset(&start);
  sigaddset(&start, SIGUSR1);
  sigprocmask(SIG_BLOCK, &start, nullptr);
  g_never_mu.lock();
  Ready();
  int signal = 0;
  sigwait(&start, &signal);
  std::thread([] {
    NameThread("waiter");
    g_never_mu.lock();  // LINE: waiter waits
  }).detach();
  SleepMicroseconds(500'000);
  execl("/bin/sh", "sh", "-c", "echo DONE; exec sleep 600", nullptr);
  return 1;
}
