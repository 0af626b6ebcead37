// Many threads (--threads=32) over one mutex: slow, and nobody is stuck. Between two turns each
// leaves the lock to the others, or one that barges in could starve them for seconds.
#include <mutex>
#include <thread>

#include "tests/targets/target.h"

std::mutex g_counter_mu;

namespace {

constexpr long kThreads = 32;

void Count() {
  NameThread("counter");
  for (;;) {
    g_counter_mu.lock();  // LINE: counter waits
    Work();
    g_counter_mu.unlock();
    Work();
  }
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  const long threads = NumberOption(argc, argv, "--threads", kThreads);
  for (long i = 0; i < threads; ++i) std::thread(Count).detach();
  Ready();
  Park();
}
