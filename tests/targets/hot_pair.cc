// Two threads lock and unlock a mutex each, as fast as they can: millions of operations a second.
// Prints "at=MS operations=N" every 20 ms, MS on CLOCK_MONOTONIC, until it is killed.
#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>

#include "tests/targets/target.h"

namespace {

constexpr long kPeriodMicroseconds = 20'000;

// Not in one cache line with another.
struct alignas(128) Site {
  std::mutex mutex;
  std::atomic<std::uint64_t> operations = 0;
};

Site g_sites[2];

void Spin(Site& site) {
  NameThread("hot");
  for (;;) {
    site.mutex.lock();
    site.mutex.unlock();
    site.operations.fetch_add(1, std::memory_order_relaxed);
  }
}

}  // namespace

int main() {
  DieWithParent();
  for (Site& site : g_sites) std::thread([&site] { Spin(site); }).detach();
  Ready();
  for (std::uint64_t before = 0;;) {
    SleepMicroseconds(kPeriodMicroseconds);
    const std::uint64_t now = g_sites[0].operations + g_sites[1].operations;
    printf("at=%lld operations=%llu\n", NowNs() / 1'000'000,
           static_cast<unsigned long long>(now - before));
    fflush(stdout);
    before = now;
  }
}
