// Many threads (--threads=32) over one mutex: slow, and nobody is stuck.
#include <mutex>
#include <thread>

#include "tests/targets/target.h"

std::mutex g_counter_mu;

namespace {

constexpr long kThreads = 32;

void Count() {
  NameThread("counter");
  for (;;) {
    const std::lock_guard<std::mutex> lock(g_counter_mu);  // LINE: counter waits
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
