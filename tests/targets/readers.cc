// Two readers have a read-write lock; a writer wants it. Begins at SIGUSR1.
//   (nothing)   each reader waits for a mutex that the writer has: nobody can go on
//   --works     the readers work for ever
//   --shared    as (nothing), with a std::shared_mutex
//   --healthy   readers and writers take turns
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "tests/targets/target.h"

pthread_rwlock_t g_routes = PTHREAD_RWLOCK_INITIALIZER;
std::shared_mutex g_table;
std::mutex g_log_mu;

namespace {

pthread_barrier_t all_have_one;

void Read(const char* name, bool works) {
  NameThread(name);
  pthread_rwlock_rdlock(&g_routes);  // LINE: reader takes
  pthread_barrier_wait(&all_have_one);
  if (works) Park();  // LINE: reader works
  g_log_mu.lock();    // LINE: reader waits
  abort();
}

void Write() {
  NameThread("writer");
  g_log_mu.lock();  // LINE: writer takes
  pthread_barrier_wait(&all_have_one);
  pthread_rwlock_wrlock(&g_routes);  // LINE: writer waits
  abort();
}

void ReadTable(const char* name) {
  NameThread(name);
  const std::shared_lock<std::shared_mutex> lock(g_table);  // LINE: table reader takes
  pthread_barrier_wait(&all_have_one);
  g_log_mu.lock();  // LINE: table reader waits
  abort();
}

void WriteTable() {
  NameThread("writer");
  g_log_mu.lock();  // LINE: table writer takes
  pthread_barrier_wait(&all_have_one);
  const std::unique_lock<std::shared_mutex> lock(g_table);  // LINE: table writer waits
  abort();
}

void ReadInTurns(const char* name) {
  NameThread(name);
  for (;;) {
    pthread_rwlock_rdlock(&g_routes);
    {
      const std::lock_guard<std::mutex> lock(g_log_mu);
      Rest();
    }
    pthread_rwlock_unlock(&g_routes);
    Rest();
  }
}

void WriteInTurns() {
  NameThread("writer");
  for (;;) {
    pthread_rwlock_wrlock(&g_routes);
    {
      const std::lock_guard<std::mutex> lock(g_log_mu);
      Rest();
    }
    pthread_rwlock_unlock(&g_routes);
    Work();
  }
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  HoldBack();
  pthread_barrier_init(&all_have_one, nullptr, 3);
  Ready();
  AwaitBegin();
  const bool works = HasOption(argc, argv, "--works") != 0;
  const bool healthy = HasOption(argc, argv, "--healthy") != 0;
  for (const char* name : {"east", "west"}) {
    if (healthy) {
      std::thread(ReadInTurns, name).detach();
    } else if (HasOption(argc, argv, "--shared")) {
      std::thread(ReadTable, name).detach();
    } else {
      std::thread(Read, name, works).detach();
    }
  }
  if (healthy) {
    std::thread(WriteInTurns).detach();
  } else {
    std::thread(HasOption(argc, argv, "--shared") ? WriteTable : Write).detach();
  }
  Done();
  Park();
}
