// A thread locks its own normal mutex a second time, a function call deeper.
#include <mutex>
#include <thread>

#include "tests/targets/target.h"

std::mutex g_cache_mu;

namespace {

void Evict(bool locked_by_caller) {
  if (locked_by_caller) return;
  g_cache_mu.lock();  // LINE: worker waits
  g_cache_mu.unlock();
}

void Insert(bool healthy) {
  NameThread("worker");
  do {
    g_cache_mu.lock();
    Work();
    Evict(healthy);
    g_cache_mu.unlock();
  } while (healthy);
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  std::thread worker(Insert, HasOption(argc, argv, "--healthy") != 0);
  Ready();
  Park();
}
