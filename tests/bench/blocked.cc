// Many blocked threads, for what the tracer costs by their number.
//
//   blocked --stacked=N --depth=D   two threads in a deadlock, N more behind it with D frames each
//   blocked --idle=N                N threads in condition variables that nobody signals
//
// Prints READY when all of them sleep.
#include <dirent.h>
#include <pthread.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <string>

#include "tests/targets/target.h"

namespace {

// Twenty thousand of the default 8 MiB would need 160 GiB of address space.
constexpr std::size_t kStackBytes = 64 * 1024;
// As a server with several pools has them, not one pool of twenty thousand.
constexpr long kPoolThreads = 100;

struct Pool {
  std::mutex mutex;
  std::condition_variable work;
};

std::deque<Pool> g_pools;
std::mutex g_ledger;
std::mutex g_accounts;
long g_depth = 0;

void StartThread(void* (*run)(void*), void* argument) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_t thread{};
  if (const int error = pthread_create(&thread, &attributes, run, argument); error != 0) {
    fprintf(stderr, "blocked: pthread_create: %s\n", strerror(error));
    exit(1);
  }
  pthread_attr_destroy(&attributes);
  pthread_detach(thread);
}

void* WaitForWork(void* argument) {
  Pool& pool = *static_cast<Pool*>(argument);
  std::unique_lock lock(pool.mutex);
  for (;;) pool.work.wait(lock);
}

// Counts after the call, so that every level keeps its frame.
__attribute__((noinline)) long Descend(long depth) {
  if (depth > 0) {
    const long below = Descend(depth - 1);
    return below + 1;
  }
  const std::lock_guard lock(g_accounts);
  return 0;
}

void* Stacked(void*) {
  Descend(g_depth);
  return nullptr;
}

template <std::mutex& first, std::mutex& second>
void* TakeBoth(void*) {
  const std::lock_guard outer(first);
  SleepMicroseconds(100'000);
  const std::lock_guard inner(second);
  return nullptr;
}

// The kernel's own word for it, so that the harness measures sleepers and not starters.
long Sleepers() {
  long count = 0;
  DIR* const tasks = opendir("/proc/self/task");
  if (tasks == nullptr) return 0;
  while (const dirent* const entry = readdir(tasks)) {
    const std::string path = std::string("/proc/self/task/") + entry->d_name + "/stat";
    FILE* const file = fopen(path.c_str(), "r");
    if (file == nullptr) continue;
    char state = '?';
    if (fscanf(file, "%*d (%*[^)]) %c", &state) == 1 && state == 'S') ++count;
    fclose(file);
  }
  closedir(tasks);
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  const long stacked = NumberOption(argc, argv, "--stacked", 0);
  const long idle = NumberOption(argc, argv, "--idle", 0);
  g_depth = NumberOption(argc, argv, "--depth", 30);

  long started = 0;
  if (stacked > 0) {
    StartThread(TakeBoth<g_ledger, g_accounts>, nullptr);
    StartThread(TakeBoth<g_accounts, g_ledger>, nullptr);
    SleepMicroseconds(200'000);
    for (long i = 0; i < stacked; ++i) StartThread(Stacked, nullptr);
    started += stacked + 2;
  }
  for (long i = 0; i < idle; ++i) {
    if (i % kPoolThreads == 0) g_pools.emplace_back();
    StartThread(WaitForWork, &g_pools.back());
  }
  started += idle;
  while (Sleepers() < started) SleepMicroseconds(20'000);
  Ready();
  Park();
}
