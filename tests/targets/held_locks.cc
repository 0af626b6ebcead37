// For what following holds takes of memory: --locks=N mutexes (default 100000), each taken once by
// "taker", which keeps --kept=N of them; and --orders=N pairs of them taken one inside the other by
// "orderer", --passes=N times (default 1), with a pause after each. Begins at SIGUSR1, says DONE
// and stays.
#include <chrono>
#include <deque>
#include <mutex>
#include <thread>

#include "tests/targets/target.h"

namespace {

std::deque<std::mutex> g_locks;

void Take(std::size_t kept) {
  NameThread("taker");
  for (std::size_t i = 0; i < g_locks.size(); ++i) {
    g_locks[i].lock();
    if (i >= kept) g_locks[i].unlock();
  }
}

void Order(std::size_t kept, std::size_t orders, std::size_t passes) {
  NameThread("orderer");
  for (std::size_t pass = 0; pass < passes; ++pass) {
    for (std::size_t i = kept; i < kept + orders && i + 1 < g_locks.size(); ++i) {
      const std::lock_guard<std::mutex> first(g_locks[i]);
      const std::lock_guard<std::mutex> second(g_locks[i + 1]);
    }
    if (pass + 1 < passes) std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  HoldBack();
  g_locks.resize(static_cast<std::size_t>(NumberOption(argc, argv, "--locks", 100'000)));
  const auto kept = static_cast<std::size_t>(NumberOption(argc, argv, "--kept", 0));
  const auto orders = static_cast<std::size_t>(NumberOption(argc, argv, "--orders", 10'000));
  const auto passes = static_cast<std::size_t>(NumberOption(argc, argv, "--passes", 1));
  Ready();
  AwaitBegin();
  std::thread([=] { Order(kept, orders, passes); }).join();
  std::thread([=] {
    Take(kept);
    Done();
    Park();
  }).join();
}
