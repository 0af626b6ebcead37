// A pool of connections as a service writes one, with overloads; a lease at a time, for ever.
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/targets/target.h"

namespace app {

struct Connection {
  int number = 0;
};

class ConnectionPool {
 public:
  explicit ConnectionPool(int size);
  Connection* acquire();
  Connection* acquire(int timeout_ms);
  void release(Connection* connection);

 private:
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<Connection> connections_;
  std::vector<Connection*> free_;
};

ConnectionPool::ConnectionPool(int size) : connections_(static_cast<std::size_t>(size)) {
  for (Connection& connection : connections_) free_.push_back(&connection);
}

Connection* ConnectionPool::acquire() {
  std::unique_lock<std::mutex> lock(mutex_);
  returned_.wait(lock, [this] { return !free_.empty(); });
  Connection* connection = free_.back();
  free_.pop_back();
  return connection;
}

Connection* ConnectionPool::acquire(int timeout_ms) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (!returned_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                          [this] { return !free_.empty(); })) {
    throw std::runtime_error("no connection in time");
  }
  Connection* connection = free_.back();
  free_.pop_back();
  return connection;
}

void ConnectionPool::release(Connection* connection) {
  const std::lock_guard<std::mutex> lock(mutex_);
  free_.push_back(connection);
  returned_.notify_one();
}

}  // namespace app

int main() {
  DieWithParent();
  app::ConnectionPool pool(3);
  Ready();
  for (;;) {
    app::Connection* first = pool.acquire();
    app::Connection* second = pool.acquire(10);
    SleepMicroseconds(10'000);
    pool.release(second);
    pool.release(first);
  }
}
