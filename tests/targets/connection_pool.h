// A pool as many programs have one: a mutex, a condition and a vector. Its two functions are what
// --pool names.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <vector>

namespace app {

struct Connection {
  int number = 0;
};

class PoolTimeout : public std::runtime_error {
 public:
  PoolTimeout() : std::runtime_error("no connection in time") {}
};

class ConnectionPool {
 public:
  explicit ConnectionPool(int size) : all_(static_cast<std::size_t>(size)) {
    for (Connection& connection : all_) {
      connection.number = static_cast<int>(&connection - all_.data());
      idle_.push_back(&connection);
    }
  }

  __attribute__((noinline)) Connection* acquire() {
    std::unique_lock<std::mutex> lock(mutex_);
    not_empty_.wait(lock, [this] { return !idle_.empty(); });
    Connection* const connection = idle_.back();
    idle_.pop_back();
    return connection;
  }

  // The same name with other arguments: throws where the other one waits on.
  __attribute__((noinline)) Connection* acquire(std::chrono::milliseconds patience) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!not_empty_.wait_for(lock, patience, [this] { return !idle_.empty(); })) {
      throw PoolTimeout();
    }
    Connection* const connection = idle_.back();
    idle_.pop_back();
    return connection;
  }

  __attribute__((noinline)) void release(Connection* connection) {
    const std::lock_guard<std::mutex> lock(mutex_);
    idle_.push_back(connection);
    not_empty_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable not_empty_;
  std::vector<Connection> all_;
  std::vector<Connection*> idle_;
};

// Gives it back by itself.
struct GiveBack {
  ConnectionPool* pool;
  void operator()(Connection* connection) const { pool->release(connection); }
};
using Handle = std::unique_ptr<Connection, GiveBack>;

inline Handle Borrow(ConnectionPool& pool) { return {pool.acquire(), GiveBack{&pool}}; }

}  // namespace app
