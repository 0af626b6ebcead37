// A pool of three connections. Begins at SIGUSR1.
//   (nothing)    "order", "stock" and "price" have one each and want a second: nobody can go on
//   --handle     the same through unique_ptr handles
//   --exhausted  "report" has all three and works; "order" and "stock" wait
//   --timeout    "report" has all three; 40 calls by two threads throw. Prints timeouts=40, then
//                uses the pool as before, says DONE and ends with status 0
//   --leaves     "guest" ends with one in its hand; two threads go on with the other two
//   --passed-on  connections are taken by one thread and given back by another
//   --healthy    eight threads, one connection each at a time
#include "tests/targets/connection_pool.h"

#include <atomic>
#include <thread>
#include <vector>

#include "tests/targets/target.h"

app::ConnectionPool g_pool(3);

namespace {

pthread_barrier_t all_have_one;

void Order() {
  NameThread("order");
  app::Connection* const first = g_pool.acquire();  // LINE: order takes
  pthread_barrier_wait(&all_have_one);
  app::Connection* const second = g_pool.acquire();  // LINE: order wants another
  g_pool.release(second);
  g_pool.release(first);
}

void Stock() {
  NameThread("stock");
  app::Connection* const first = g_pool.acquire();  // LINE: stock takes
  pthread_barrier_wait(&all_have_one);
  app::Connection* const second = g_pool.acquire();  // LINE: stock wants another
  g_pool.release(second);
  g_pool.release(first);
}

void Price() {
  NameThread("price");
  app::Connection* const first = g_pool.acquire();  // LINE: price takes
  pthread_barrier_wait(&all_have_one);
  app::Connection* const second = g_pool.acquire();  // LINE: price wants another
  g_pool.release(second);
  g_pool.release(first);
}

void BorrowTwice(const char* name) {
  NameThread(name);
  const app::Handle first = app::Borrow(g_pool);  // LINE: borrower takes
  pthread_barrier_wait(&all_have_one);
  const app::Handle second = app::Borrow(g_pool);  // LINE: borrower wants another
}

void Deadlock(bool handles) {
  pthread_barrier_init(&all_have_one, nullptr, 3);
  if (handles) {
    for (const char* name : {"order", "stock", "price"}) std::thread(BorrowTwice, name).detach();
  } else {
    for (void (*work)() : {Order, Stock, Price}) std::thread(work).detach();
  }
}

void TakeAll() {
  NameThread("report");
  for (int i = 0; i < 3; ++i) g_pool.acquire();  // LINE: report takes
  pthread_barrier_wait(&all_have_one);
  Park();  // LINE: report works
}

void WaitForOne(const char* name) {
  NameThread(name);
  pthread_barrier_wait(&all_have_one);
  g_pool.acquire();  // LINE: waiter wants one
}

void Exhaust() {
  pthread_barrier_init(&all_have_one, nullptr, 3);
  std::thread(TakeAll).detach();
  for (const char* name : {"order", "stock"}) std::thread(WaitForOne, name).detach();
}

int CountTimeouts() {
  int timeouts = 0;
  for (int i = 0; i < 20; ++i) {
    try {
      g_pool.acquire(std::chrono::milliseconds(2));
    } catch (const app::PoolTimeout&) {
      ++timeouts;
    }
  }
  return timeouts;
}

// What has thrown left nothing behind: three can be taken and given back again.
void Timeouts() {
  std::vector<app::Connection*> taken;
  std::thread([&taken] {
    NameThread("report");
    for (int i = 0; i < 3; ++i) taken.push_back(g_pool.acquire());
  }).join();
  std::atomic<int> timeouts = 0;
  std::thread one([&] { timeouts += CountTimeouts(); });
  std::thread two([&] { timeouts += CountTimeouts(); });
  one.join();
  two.join();
  Fact("timeouts", timeouts);
  for (app::Connection* const connection : taken) g_pool.release(connection);
  for (int i = 0; i < 3; ++i) taken[static_cast<std::size_t>(i)] = g_pool.acquire();
  for (app::Connection* const connection : taken) g_pool.release(connection);
}

void WorkInTurns(const char* name) {
  NameThread(name);
  for (;;) {
    app::Connection* const connection = g_pool.acquire();
    Work();
    g_pool.release(connection);
    Rest();
  }
}

void Leave() {
  std::thread([] {
    NameThread("guest");
    g_pool.acquire();
  }).join();
  for (const char* name : {"order", "stock"}) std::thread(WorkInTurns, name).detach();
}

void PassOn() {
  for (int i = 0; i < 200; ++i) {
    app::Connection* taken = nullptr;
    std::thread([&taken] { taken = g_pool.acquire(); }).join();
    std::thread([taken] { g_pool.release(taken); }).join();
  }
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  HoldBack();
  Ready();
  AwaitBegin();
  if (HasOption(argc, argv, "--timeout")) {
    Timeouts();
    Done();
    return 0;
  }
  if (HasOption(argc, argv, "--exhausted")) {
    Exhaust();
  } else if (HasOption(argc, argv, "--leaves")) {
    Leave();
  } else if (HasOption(argc, argv, "--passed-on")) {
    PassOn();
  } else if (HasOption(argc, argv, "--healthy")) {
    for (int i = 0; i < 8; ++i) std::thread(WorkInTurns, "worker").detach();
  } else {
    Deadlock(HasOption(argc, argv, "--handle") != 0);
  }
  Done();
  Park();
}
