// Locks that are held for a second and a half while nobody waits for them; --milliseconds=M for
// another time. Begins at SIGUSR1, says DONE when it is over, and stays.
//   (nothing)    "cache" holds a mutex in Rebuild
//   --keeps      the same, and it never lets go
//   --often      (nothing) three times, the second time for twice as long
//   --recursive  a recursive mutex, taken twice and let go twice, the first time early
//   --try        what a try_lock got
//   --timed      what a try_lock_for got
//   --read       a read lock
//   --spin       a spin lock
//   --reacquired what a pthread_cond_timedwait got back when it gave up
// and no long holds:
//   --healthy    a thousand short ones
//   --waits      "consumer" waits for a condition: meanwhile it has no mutex
//   --refused    a try_lock and a try_lock_for that failed, and a while later
//   --passed-on  what one thread has locked, another one unlocks at once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>

#include "tests/targets/target.h"

std::mutex g_cache_mu;
std::recursive_mutex g_index_mu;
std::timed_mutex g_report_mu;
std::shared_mutex g_routes;
pthread_spinlock_t g_counter_spin;
pthread_mutex_t g_jobs_mu = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t g_jobs = PTHREAD_COND_INITIALIZER;

namespace {

long hold_microseconds = 1'500'000;

void Hold() { SleepMicroseconds(hold_microseconds); }

void Rebuild() {
  g_cache_mu.lock();  // LINE: cache takes
  Hold();
  g_cache_mu.unlock();  // LINE: cache lets go
}

void Keep() {
  g_cache_mu.lock();  // LINE: cache takes for ever
  Done();
  Park();  // LINE: cache is
}

void Often() {
  Rebuild();
  hold_microseconds *= 2;
  Rebuild();
  hold_microseconds /= 2;
  Rebuild();
}

void Twice() {
  g_index_mu.lock();  // LINE: index takes
  g_index_mu.lock();
  g_index_mu.unlock();
  Hold();
  g_index_mu.unlock();  // LINE: index lets go
}

void Try() {
  if (!g_cache_mu.try_lock()) return;  // LINE: try takes
  Hold();
  g_cache_mu.unlock();  // LINE: try lets go
}

void Timed() {
  if (!g_report_mu.try_lock_for(std::chrono::minutes(1))) return;  // LINE: timed takes
  Hold();
  g_report_mu.unlock();  // LINE: timed lets go
}

void Read() {
  g_routes.lock_shared();  // LINE: read takes
  Hold();
  g_routes.unlock_shared();  // LINE: read lets go
}

void Spin() {
  pthread_spin_lock(&g_counter_spin);  // LINE: spin takes
  Hold();
  pthread_spin_unlock(&g_counter_spin);  // LINE: spin lets go
}

void Reacquire() {
  pthread_mutex_lock(&g_jobs_mu);
  timespec soon{};
  clock_gettime(CLOCK_REALTIME, &soon);
  while (pthread_cond_timedwait(&g_jobs, &g_jobs_mu, &soon) == 0) {  // LINE: wait takes again
  }
  Hold();
  pthread_mutex_unlock(&g_jobs_mu);  // LINE: wait lets go
}

void Short() {
  for (int i = 0; i < 1000; ++i) {
    { const std::lock_guard<std::mutex> lock(g_cache_mu); }
    Rest();
  }
}

void Wait() {
  pthread_mutex_lock(&g_jobs_mu);
  timespec later{};
  clock_gettime(CLOCK_REALTIME, &later);
  later.tv_sec += 2;
  while (pthread_cond_timedwait(&g_jobs, &g_jobs_mu, &later) == 0) {
  }
  pthread_mutex_unlock(&g_jobs_mu);
}

// "keeper" has both for a quarter of a second; "refused" gets neither, and lives on.
void Refused() {
  std::atomic<bool> has = false;
  std::thread keeper([&has] {
    NameThread("keeper");
    g_cache_mu.lock();
    g_report_mu.lock();
    has = true;
    SleepMicroseconds(250'000);
    g_report_mu.unlock();
    g_cache_mu.unlock();
  });
  while (!has) Rest();
  if (g_cache_mu.try_lock() || g_report_mu.try_lock_for(std::chrono::milliseconds(20))) abort();
  keeper.join();
  Hold();
}

// glibc lets it happen for a mutex of the default type.
void PassOn() {
  for (int i = 0; i < 20; ++i) {
    std::thread([] { pthread_mutex_unlock(&g_jobs_mu); }).join();
    pthread_mutex_lock(&g_jobs_mu);
  }
  std::thread([] { pthread_mutex_unlock(&g_jobs_mu); }).join();
  Hold();
}

struct Kind {
  const char* option;
  const char* thread;
  void (*run)();
};

constexpr Kind kKinds[] = {
    {"--keeps", "cache", Keep},        {"--often", "cache", Often},
    {"--recursive", "index", Twice},   {"--try", "try", Try},
    {"--timed", "timed", Timed},       {"--read", "read", Read},
    {"--spin", "spin", Spin},          {"--reacquired", "wait", Reacquire},
    {"--healthy", "cache", Short},     {"--waits", "consumer", Wait},
    {"--refused", "refused", Refused}, {"--passed-on", "giver", PassOn},
};

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  HoldBack();
  pthread_spin_init(&g_counter_spin, PTHREAD_PROCESS_PRIVATE);
  hold_microseconds = 1000 * NumberOption(argc, argv, "--milliseconds", 1500);
  Kind chosen{"", "cache", Rebuild};
  for (const Kind& kind : kKinds) {
    if (HasOption(argc, argv, kind.option)) chosen = kind;
  }
  Ready();
  AwaitBegin();
  if (chosen.run == PassOn) pthread_mutex_lock(&g_jobs_mu);
  std::thread([chosen] {
    NameThread(chosen.thread);
    chosen.run();
  }).join();
  Done();
  Park();
}
