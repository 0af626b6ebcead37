// Locks taken in orders that could end in a deadlock and never do: the threads come one after
// another. Begins at SIGUSR1, says DONE and stays.
//   (nothing)      "io" takes the ledger, then the account; "audit" the other way round
//   --locks=N      N threads "seat0"...; each takes a lock and the next, the last one the first
//   --deep=N       "nest" takes N locks, one inside the other; "hook" the last of them, then the
//                  first
//   --read-write   read locks, and inside each a write lock of the other
//   --two-gates    each of the two under a lock, but not under the same
//   --goes-on      (nothing) a hundred times, then two other locks likewise
// and no mistakes:
//   --healthy      one order
//   --gate         both under one lock
//   --try          audit only tries to get the second
//   --scoped       std::scoped_lock in both orders
//   --recursive    what is taken the other way round is had already
//   --one-thread   both orders by one thread
//   --two-of-three a ring of three orders by two threads: two of them are never in it at once
//   --reused       other locks at the same addresses
//   --read-read    read locks only
//   --read-first   as --read-read, then as --read-write
#include <functional>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/targets/target.h"

std::mutex g_account_mu;
std::mutex g_ledger_mu;
std::mutex g_gate_mu;
std::mutex g_second_gate_mu;
std::mutex g_orders_mu;
std::mutex g_stock_mu;
std::recursive_mutex g_outer_mu;
std::recursive_mutex g_inner_mu;
std::shared_mutex g_routes;
std::shared_mutex g_peers;
pthread_mutex_t g_slots[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};

namespace {

// One thread from beginning to end.
void Run(const std::string& name, const std::function<void()>& work) {
  std::thread([&] {
    NameThread(name.c_str());
    work();
  }).join();
}

void Debit() {
  const std::lock_guard<std::mutex> ledger(g_ledger_mu);    // LINE: io has
  const std::lock_guard<std::mutex> account(g_account_mu);  // LINE: io wants
}

void Audit() {
  std::unique_lock<std::mutex> account(g_account_mu);  // LINE: audit has
  std::unique_lock<std::mutex> ledger(g_ledger_mu);    // LINE: audit wants
}

void Credit() {
  const std::lock_guard<std::mutex> ledger(g_ledger_mu);
  const std::lock_guard<std::mutex> account(g_account_mu);
}

void TryAudit() {
  const std::lock_guard<std::mutex> account(g_account_mu);
  const std::unique_lock<std::mutex> ledger(g_ledger_mu, std::try_to_lock);
}

void Under(std::mutex& gate, void (*work)()) {
  const std::lock_guard<std::mutex> lock(gate);
  work();
}

void Ship() {
  g_orders_mu.lock();  // LINE: ship has
  g_stock_mu.lock();   // LINE: ship wants
  g_stock_mu.unlock();
  g_orders_mu.unlock();
}

void Restock() {
  g_stock_mu.lock();   // LINE: restock has
  g_orders_mu.lock();  // LINE: restock wants
  g_orders_mu.unlock();
  g_stock_mu.unlock();
}

void GoOn() {
  std::thread io([] {
    NameThread("io");
    for (int i = 0; i < 100; ++i) Debit();
  });
  io.join();
  Run("audit", [] {
    for (int i = 0; i < 100; ++i) Audit();
  });
  SleepMicroseconds(500'000);
  Run("ship", Ship);
  Run("restock", Restock);
}

void Ring(std::size_t size) {
  static std::vector<std::mutex> locks(size);
  for (std::size_t i = 0; i < size; ++i) {
    Run("seat" + std::to_string(i), [&] {
      const std::lock_guard<std::mutex> own(locks[i]);                // LINE: seat has
      const std::lock_guard<std::mutex> next(locks[(i + 1) % size]);  // LINE: seat wants
    });
  }
}

void Deep(std::size_t depth) {
  static std::vector<std::mutex> locks(depth);
  Run("nest", [&] {
    for (std::mutex& lock : locks) lock.lock();  // LINE: nest takes
    for (std::mutex& lock : locks) lock.unlock();
  });
  Run("hook", [&] {
    const std::lock_guard<std::mutex> last(locks.back());    // LINE: hook has
    const std::lock_guard<std::mutex> first(locks.front());  // LINE: hook wants
  });
}

void RouteWrites() {
  const std::shared_lock<std::shared_mutex> routes(g_routes);  // LINE: route has
  const std::unique_lock<std::shared_mutex> peers(g_peers);    // LINE: route wants
}

void PeerWrites() {
  const std::shared_lock<std::shared_mutex> peers(g_peers);    // LINE: peer has
  const std::unique_lock<std::shared_mutex> routes(g_routes);  // LINE: peer wants
}

void RouteReads() {
  const std::shared_lock<std::shared_mutex> routes(g_routes);
  const std::shared_lock<std::shared_mutex> peers(g_peers);
}

void PeerReads() {
  const std::shared_lock<std::shared_mutex> peers(g_peers);
  const std::shared_lock<std::shared_mutex> routes(g_routes);
}

void ReadWrite() {
  Run("route", RouteWrites);
  Run("peer", PeerWrites);
}

void ReadRead() {
  Run("route", RouteReads);
  Run("peer", PeerReads);
}

// The first order that is seen of each cannot deadlock; the second can.
void ReadFirst() {
  Run("route", [] {
    RouteReads();
    RouteWrites();
  });
  Run("peer", [] {
    PeerReads();
    PeerWrites();
  });
}

void Scoped() {
  Run("io", [] { const std::scoped_lock both(g_ledger_mu, g_account_mu); });
  Run("audit", [] { const std::scoped_lock both(g_account_mu, g_ledger_mu); });
}

// The inner one is asked for with the outer one in hand, and the outer one, which is had already,
// with the inner one in hand.
void Again() {
  const std::lock_guard<std::recursive_mutex> outer(g_outer_mu);
  const std::lock_guard<std::recursive_mutex> inner(g_inner_mu);
  const std::lock_guard<std::recursive_mutex> outer_again(g_outer_mu);
}

// Ledger before account and account before gate by one thread, gate before ledger by another.
void TwoOfThree() {
  Run("io", [] {
    Debit();
    const std::lock_guard<std::mutex> account(g_account_mu);
    const std::lock_guard<std::mutex> gate(g_gate_mu);
  });
  Run("audit", [] {
    const std::lock_guard<std::mutex> gate(g_gate_mu);
    const std::lock_guard<std::mutex> ledger(g_ledger_mu);
  });
}

void TakeSlots(int first, int second) {
  pthread_mutex_lock(&g_slots[first]);
  pthread_mutex_lock(&g_slots[second]);
  pthread_mutex_unlock(&g_slots[second]);
  pthread_mutex_unlock(&g_slots[first]);
}

void Reuse() {
  for (int i = 0; i < 50; ++i) {
    Run("slot" + std::to_string(i), [i] { TakeSlots(i % 2, 1 - i % 2); });
    for (pthread_mutex_t& slot : g_slots) {
      pthread_mutex_destroy(&slot);
      pthread_mutex_init(&slot, nullptr);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  HoldBack();
  Ready();
  AwaitBegin();
  const auto given = [&](const char* option) { return HasOption(argc, argv, option) != 0; };
  const auto locks = static_cast<std::size_t>(NumberOption(argc, argv, "--locks", 0));
  const auto depth = static_cast<std::size_t>(NumberOption(argc, argv, "--deep", 0));
  if (locks > 0) {
    Ring(locks);
  } else if (depth > 0) {
    Deep(depth);
  } else if (given("--read-write")) {
    ReadWrite();
  } else if (given("--read-first")) {
    ReadFirst();
  } else if (given("--read-read")) {
    ReadRead();
  } else if (given("--two-gates")) {
    Run("io", [] { Under(g_gate_mu, Debit); });
    Run("audit", [] { Under(g_second_gate_mu, Audit); });
  } else if (given("--goes-on")) {
    GoOn();
  } else if (given("--healthy")) {
    Run("io", Debit);
    Run("audit", Credit);
  } else if (given("--gate")) {
    Run("io", [] { Under(g_gate_mu, Debit); });
    Run("audit", [] { Under(g_gate_mu, Audit); });
  } else if (given("--try")) {
    Run("io", Debit);
    Run("audit", TryAudit);
  } else if (given("--scoped")) {
    Scoped();
  } else if (given("--recursive")) {
    Run("io", Again);
    Run("audit", Again);
  } else if (given("--one-thread")) {
    Run("io", [] {
      Debit();
      Audit();
    });
  } else if (given("--two-of-three")) {
    TwoOfThree();
  } else if (given("--reused")) {
    Reuse();
  } else {
    Run("io", Debit);
    Run("audit", Audit);
  }
  Done();
  Park();
}
