// A lock loop in slices on request, so that a harness can switch the tracer on and off between
// neighbouring slices of one process.
//
// Standard input: lines of "WORKLOAD MILLISECONDS"; for each, standard output: "OPERATIONS NS".
//   uncontended   a thread on each CPU locks and unlocks a mutex of its own
//   contended     a thread on each CPU; every two of them fight over one mutex
//   handoff       two threads on each CPU take turns through a mutex and its condition
//
// All CPUs are busy in each of them: whatever the tracer takes is missing here, and others who use
// the machine can neither speed up nor slow down a neighbour that shares a core.
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/targets/target.h"

namespace {

using Clock = std::chrono::steady_clock;

std::atomic<bool> g_stop;

// Not in one cache line with another.
struct alignas(128) Site {
  std::mutex mutex;
  std::condition_variable turn_taken;
  int turn = 0;
};

std::vector<int> UsableCpus() {
  cpu_set_t set;
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

void PinTo(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

std::uint64_t Uncontended(Site& site) {
  constexpr std::uint64_t kBatch = 256;
  std::uint64_t operations = 0;
  while (!g_stop.load(std::memory_order_relaxed)) {
    for (std::uint64_t i = 0; i < kBatch; ++i) {
      site.mutex.lock();
      site.mutex.unlock();
    }
    operations += kBatch;
  }
  return operations;
}

void ShortWork() {
  for (int i = 0; i < 100; ++i) asm volatile("" ::: "memory");
}

std::uint64_t Contended(Site& site) {
  std::uint64_t operations = 0;
  while (!g_stop.load(std::memory_order_relaxed)) {
    {
      const std::lock_guard lock(site.mutex);
      ShortWork();
    }
    ShortWork();
    ++operations;
  }
  return operations;
}

std::uint64_t TakeTurns(Site& site, int me) {
  std::uint64_t operations = 0;
  std::unique_lock lock(site.mutex);
  while (!g_stop.load(std::memory_order_relaxed)) {
    site.turn_taken.wait(lock, [&] { return site.turn == me || g_stop; });
    site.turn = 1 - me;
    ++operations;
    site.turn_taken.notify_one();
  }
  return operations;
}

class Slice {
 public:
  explicit Slice(const std::string& workload) {
    g_stop = false;
    const std::vector<int> cpus = UsableCpus();
    for (std::size_t i = 0; i < cpus.size(); ++i) {
      if (i % 2 == 0 || workload != "contended") sites_.emplace_back();
      Site& site = sites_.back();
      if (workload == "uncontended") Start(cpus[i], [&site] { return Uncontended(site); });
      if (workload == "contended") Start(cpus[i], [&site] { return Contended(site); });
      if (workload == "handoff") {
        for (const int me : {0, 1}) Start(cpus[i], [&site, me] { return TakeTurns(site, me); });
      }
    }
  }

  std::uint64_t Stop() {
    g_stop = true;
    for (Site& site : sites_) {
      // Behind a waiter that has looked at g_stop and not yet slept.
      { const std::lock_guard lock(site.mutex); }
      site.turn_taken.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
    return operations_;
  }

 private:
  template <class Loop>
  void Start(int cpu, Loop loop) {
    threads_.emplace_back([this, cpu, loop] {
      PinTo(cpu);
      operations_ += loop();
    });
  }

  std::deque<Site> sites_;
  std::vector<std::thread> threads_;
  std::atomic<std::uint64_t> operations_ = 0;
};

}  // namespace

int main() {
  DieWithParent();
  std::string workload;
  long milliseconds = 0;
  while (std::cin >> workload >> milliseconds) {
    const auto begin = Clock::now();
    Slice slice(workload);
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    const std::uint64_t operations = slice.Stop();
    const auto wall = std::chrono::nanoseconds(Clock::now() - begin).count();
    std::cout << operations << ' ' << wall << std::endl;
  }
  return 0;
}
