// A lock loop in slices on request, so that a harness can switch the tracer on and off between
// neighbouring slices of one process.
//
// Standard input: lines of "WORKLOAD MILLISECONDS". Standard output, for each: "OPERATIONS
// WALL_NS".
//   uncontended   one thread locks and unlocks
//   contended     two threads fight over one mutex
//   handoff       two threads take turns through one mutex and its condition: two switches a turn
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>

#include "tests/targets/target.h"

namespace {

using Clock = std::chrono::steady_clock;

std::atomic<bool> g_stop;
std::mutex g_mutex;

std::uint64_t Uncontended() {
  constexpr std::uint64_t kBatch = 256;
  std::uint64_t operations = 0;
  while (!g_stop.load(std::memory_order_relaxed)) {
    for (std::uint64_t i = 0; i < kBatch; ++i) {
      g_mutex.lock();
      g_mutex.unlock();
    }
    operations += kBatch;
  }
  return operations;
}

void ShortWork() {
  for (int i = 0; i < 100; ++i) asm volatile("" ::: "memory");
}

std::uint64_t Contended() {
  std::uint64_t operations = 0;
  while (!g_stop.load(std::memory_order_relaxed)) {
    {
      const std::lock_guard lock(g_mutex);
      ShortWork();
    }
    ShortWork();
    ++operations;
  }
  return operations;
}

std::condition_variable g_turn_taken;
int g_turn = 0;

std::uint64_t TakeTurns(int me) {
  std::uint64_t operations = 0;
  std::unique_lock lock(g_mutex);
  while (!g_stop.load(std::memory_order_relaxed)) {
    g_turn_taken.wait(lock, [me] { return g_turn == me || g_stop; });
    g_turn = 1 - me;
    ++operations;
    g_turn_taken.notify_one();
  }
  return operations;
}

std::uint64_t RunSlice(const std::string& workload, std::chrono::milliseconds duration) {
  std::array<std::uint64_t, 2> operations{};
  std::array<std::thread, 2> threads;
  g_stop = false;
  for (int i = 0; i < 2; ++i) {
    if (workload == "uncontended" && i == 1) break;
    threads[i] = std::thread([&, i] {
      if (workload == "uncontended") operations[i] = Uncontended();
      if (workload == "contended") operations[i] = Contended();
      if (workload == "handoff") operations[i] = TakeTurns(i);
    });
  }
  std::this_thread::sleep_for(duration);
  g_stop = true;
  g_turn_taken.notify_all();
  for (std::thread& thread : threads) {
    if (thread.joinable()) thread.join();
  }
  return operations[0] + operations[1];
}

}  // namespace

int main() {
  DieWithParent();
  std::string workload;
  long milliseconds = 0;
  while (std::cin >> workload >> milliseconds) {
    const auto begin = Clock::now();
    const std::uint64_t operations = RunSlice(workload, std::chrono::milliseconds(milliseconds));
    const auto wall = std::chrono::nanoseconds(Clock::now() - begin).count();
    std::cout << operations << ' ' << wall << std::endl;
  }
  return 0;
}
