// A pool of sixteen workers that have nothing to do; main waits for a signal that ends it.
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/targets/target.h"

namespace {

constexpr int kWorkers = 16;
std::mutex queue_mu;
std::condition_variable not_empty;
bool shutting_down = false;

void Serve() {
  NameThread("worker");
  std::unique_lock<std::mutex> lock(queue_mu);
  not_empty.wait(lock, [] { return shutting_down; });
}

}  // namespace

int main() {
  DieWithParent();
  std::vector<std::thread> workers;
  for (int i = 0; i < kWorkers; ++i) workers.emplace_back(Serve);
  Ready();
  Park();
}
