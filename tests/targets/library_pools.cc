// A pool of two of a library, --kind=apr|mongoc: "left" and "right" have one each and want a
// second. With --healthy four threads have one at a time. With --timeout left waits in vain for a
// second, and everything is given back. Begins at SIGUSR1, says DONE, and stays.
#include <apr_general.h>
#include <apr_reslist.h>

#include <functional>
#include <string>
#include <thread>

#include <mongoc/mongoc.h>

#include "tests/targets/target.h"

namespace {

constexpr int kUnits = 2;
constexpr int kPatienceMs = 200;
pthread_barrier_t both_have_one;

struct Pool {
  std::function<void*()> take;
  std::function<void(void*)> give;
};

apr_status_t MakeUnit(void** unit, void*, apr_pool_t*) {
  static int units[kUnits];
  static int made = 0;
  *unit = &units[made++ % kUnits];
  return APR_SUCCESS;
}

apr_status_t EndUnit(void*, void*, apr_pool_t*) { return APR_SUCCESS; }

Pool Apr(bool timeout) {
  apr_pool_t* memory = nullptr;
  apr_reslist_t* list = nullptr;
  if (apr_initialize() != APR_SUCCESS || apr_pool_create(&memory, nullptr) != APR_SUCCESS ||
      apr_reslist_create(&list, kUnits, kUnits, kUnits, 0, MakeUnit, EndUnit, nullptr, memory) !=
          APR_SUCCESS) {
    exit(1);
  }
  if (timeout) apr_reslist_timeout_set(list, kPatienceMs * 1000);
  return {[list]() -> void* {
            void* unit = nullptr;
            return apr_reslist_acquire(list, &unit) == APR_SUCCESS ? unit : nullptr;  // LINE: apr
          },
          [list](void* unit) { apr_reslist_release(list, unit); }};
}

// Connects to nothing: a client is made without. The first one starts threads, which have the name
// of theirs.
Pool Mongoc(bool timeout) {
  mongoc_init();
  std::string address = "mongodb://127.0.0.1:1/?maxPoolSize=" + std::to_string(kUnits);
  if (timeout) address += "&waitQueueTimeoutMS=" + std::to_string(kPatienceMs);
  mongoc_client_pool_t* const pool = mongoc_client_pool_new(mongoc_uri_new(address.c_str()));
  mongoc_client_pool_push(pool, mongoc_client_pool_pop(pool));
  return {[pool]() -> void* { return mongoc_client_pool_pop(pool); },  // LINE: mongoc
          [pool](void* client) {
            mongoc_client_pool_push(pool, static_cast<mongoc_client_t*>(client));
          }};
}

void TakeTwo(const char* name, const Pool& pool) {
  NameThread(name);
  pool.take();
  pthread_barrier_wait(&both_have_one);
  pool.take();
  abort();
}

void TakeInVain(const Pool& pool) {
  NameThread("left");
  void* const first = pool.take();
  void* const second = pool.take();
  Fact("third", pool.take() != nullptr);
  pool.give(second);
  pool.give(first);
}

void TakeTurns(const Pool& pool) {
  NameThread("worker");
  for (;;) {
    void* const unit = pool.take();
    Work();
    pool.give(unit);
    Rest();
  }
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  HoldBack();
  pthread_barrier_init(&both_have_one, nullptr, 2);
  const bool timeout = HasOption(argc, argv, "--timeout") != 0;
  const Pool pool = HasOption(argc, argv, "--kind=mongoc") ? Mongoc(timeout) : Apr(timeout);
  Ready();
  AwaitBegin();
  if (HasOption(argc, argv, "--healthy")) {
    for (int i = 0; i < 4; ++i) std::thread([pool] { TakeTurns(pool); }).detach();
  } else if (timeout) {
    std::thread([pool] { TakeInVain(pool); }).join();
  } else {
    for (const char* name : {"left", "right"}) {
      std::thread([name, pool] { TakeTwo(name, pool); }).detach();
    }
  }
  Done();
  Park();
}
