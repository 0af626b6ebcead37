// A server as C++ programs have them, in slices on request: four workers take requests from a
// queue, read a table, borrow a connection from a pool, compute for some tens of microseconds and
// count what they did; two clients send, sixteen requests at a time.
//
// Standard input: lines of "serve MILLISECONDS"; for each, standard output: "REQUESTS NS".
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <iostream>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/targets/connection_pool.h"
#include "tests/targets/target.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWorkers = 4;
constexpr int kClients = 2;
constexpr int kConnections = 3;
constexpr std::uint64_t kInFlight = 16;
constexpr int kHashes = 400;  // some tens of microseconds

struct Request {
  std::uint64_t key = 0;
  std::atomic<std::uint64_t>* pending = nullptr;
};

class Queue {
 public:
  void Push(const Request& request) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      requests_.push_back(request);
    }
    not_empty_.notify_one();
  }

  Request Pop() {
    std::unique_lock<std::mutex> lock(mutex_);
    not_empty_.wait(lock, [this] { return !requests_.empty(); });
    const Request request = requests_.front();
    requests_.pop_front();
    return request;
  }

 private:
  std::mutex mutex_;
  std::condition_variable not_empty_;
  std::deque<Request> requests_;
};

Queue g_queue;
app::ConnectionPool g_pool(kConnections);
std::shared_mutex g_table_mu;
std::map<std::uint64_t, std::uint64_t> g_table;
std::mutex g_totals_mu;
std::map<std::uint64_t, std::uint64_t> g_totals;
std::atomic<std::uint64_t> g_served;
std::atomic<bool> g_sending;

std::uint64_t Compute(std::uint64_t value) {
  for (int i = 0; i < kHashes; ++i) value = std::hash<std::string>()(std::to_string(value));
  return value;
}

void Serve() {
  for (;;) {
    const Request request = g_queue.Pop();
    std::uint64_t value = 0;
    {
      const std::shared_lock<std::shared_mutex> lock(g_table_mu);
      value = g_table.at(request.key);
    }
    {
      const app::Handle connection = app::Borrow(g_pool);
      value = Compute(value);
    }
    {
      const std::lock_guard<std::mutex> lock(g_totals_mu);
      g_totals[request.key] += value;
    }
    ++g_served;
    --*request.pending;
  }
}

void Send(std::uint64_t seed) {
  std::atomic<std::uint64_t> pending = 0;
  for (std::uint64_t key = seed;; key += kClients) {
    while (!g_sending || pending >= kInFlight) SleepMicroseconds(50);
    ++pending;
    g_queue.Push({key % g_table.size(), &pending});
  }
}

}  // namespace

int main() {
  DieWithParent();
  for (std::uint64_t key = 0; key < 1000; ++key) g_table[key] = key;
  for (int i = 0; i < kWorkers; ++i) std::thread(Serve).detach();
  for (std::uint64_t i = 0; i < kClients; ++i) std::thread(Send, i).detach();
  std::string command;
  long milliseconds = 0;
  while (std::cin >> command >> milliseconds) {
    g_sending = true;
    const std::uint64_t before = g_served;
    const Clock::time_point begin = Clock::now();
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    const std::uint64_t served = g_served - before;
    const auto took = std::chrono::nanoseconds(Clock::now() - begin).count();
    g_sending = false;
    std::cout << served << ' ' << took << std::endl;
  }
  std::_Exit(0);
}
