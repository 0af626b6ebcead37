// A cycle of a mutex and a FILE's lock: the rotator keeps the log file locked while it waits for
// the configuration, the setter writes to the log while it holds the configuration.
#include <mutex>
#include <thread>

#include "tests/targets/target.h"

std::mutex g_config_mu;

namespace {

FILE* log_file;
pthread_barrier_t both_have_one;

void Rotate() {
  NameThread("rotator");
  flockfile(log_file);
  pthread_barrier_wait(&both_have_one);
  g_config_mu.lock();  // LINE: rotator waits
  abort();
}

void Set() {
  NameThread("setter");
  g_config_mu.lock();
  pthread_barrier_wait(&both_have_one);
  fputs("set\n", log_file);  // LINE: setter waits
  abort();
}

void InOrder(const char* name) {
  NameThread(name);
  for (;;) {
    {
      const std::lock_guard<std::mutex> config(g_config_mu);
      flockfile(log_file);
      fputs("set\n", log_file);
      Work();
      funlockfile(log_file);
    }
    Rest();
  }
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  log_file = fopen("/dev/null", "w");
  const bool healthy = HasOption(argc, argv, "--healthy") != 0;
  pthread_barrier_init(&both_have_one, nullptr, 2);
  std::thread rotator(healthy ? [] { InOrder("rotator"); } : Rotate);
  std::thread setter(healthy ? [] { InOrder("setter"); } : Set);
  Ready();
  Park();
}
