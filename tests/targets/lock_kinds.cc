// Two locks of the kind --kind=NAME: "one" takes the first, then the second; "two" the other way
// round, later; then "keeper" has the first for --milliseconds=M (default 300). With --healthy
// everybody takes them in one order, and lets go at once. Begins at SIGUSR1, says DONE, and stays.
#include <dlfcn.h>
#include <semaphore.h>
#include <threads.h>

#include <functional>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>

#include "tests/targets/target.h"

pthread_mutex_t g_mutex[2];
pthread_rwlock_t g_rwlock[2];
pthread_spinlock_t g_spin[2];
sem_t g_semaphore[2];
mtx_t g_c11[2];
std::mutex g_std[2];
std::recursive_mutex g_recursive[2];
std::timed_mutex g_timed[2];
std::shared_mutex g_shared[2];
// GMutex and GRecMutex are a pointer, GRWLock two of them and some: glib/gthread.h. Loaded below,
// so that the library's headers need not be there.
void* g_glib[2][4];

namespace {

struct Kind {
  std::function<void(int)> take;
  std::function<void(int)> give;
};

template <class Lock>
Kind Of(Lock (&locks)[2]) {
  return {[&locks](int i) { locks[i].lock(); },     // LINE: std takes
          [&locks](int i) { locks[i].unlock(); }};  // LINE: std gives
}

template <class Lock>
Kind Call(Lock (&locks)[2], int (*take)(Lock*), int (*give)(Lock*)) {
  return {[&locks, take](int i) { take(&locks[i]); },   // LINE: call takes
          [&locks, give](int i) { give(&locks[i]); }};  // LINE: call gives
}

Kind Glib(const std::string& type, const std::string& take, const std::string& give) {
  void* const library = dlopen("libglib-2.0.so.0", RTLD_NOW);
  if (library == nullptr) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
  using Function = void (*)(void*);
  const auto function = [library](const std::string& name) {
    return reinterpret_cast<Function>(dlsym(library, name.c_str()));
  };
  for (auto& lock : g_glib) function("g_" + type + "_init")(lock);
  const Function taker = function("g_" + type + "_" + take);
  const Function giver = function("g_" + type + "_" + give);
  return {[taker](int i) { taker(g_glib[i]); },   // LINE: glib takes
          [giver](int i) { giver(g_glib[i]); }};  // LINE: glib gives
}

Kind Posix(const std::string& kind) {
  for (int i = 0; i < 2; ++i) {
    pthread_mutex_init(&g_mutex[i], nullptr);
    pthread_rwlock_init(&g_rwlock[i], nullptr);
    pthread_spin_init(&g_spin[i], PTHREAD_PROCESS_PRIVATE);
    sem_init(&g_semaphore[i], 0, 1);
    mtx_init(&g_c11[i], mtx_plain);
  }
  if (kind == "mutex") return Call(g_mutex, pthread_mutex_lock, pthread_mutex_unlock);
  if (kind == "rwlock") return Call(g_rwlock, pthread_rwlock_wrlock, pthread_rwlock_unlock);
  if (kind == "semaphore") return Call(g_semaphore, sem_wait, sem_post);
  if (kind == "c11") return Call(g_c11, mtx_lock, mtx_unlock);
  // Its functions take a volatile pointer.
  return {[](int i) { pthread_spin_lock(&g_spin[i]); },     // LINE: spin takes
          [](int i) { pthread_spin_unlock(&g_spin[i]); }};  // LINE: spin gives
}

Kind KindOf(const std::string& kind) {
  if (kind == "std") return Of(g_std);
  if (kind == "recursive") return Of(g_recursive);
  if (kind == "timed") return Of(g_timed);
  if (kind == "shared") return Of(g_shared);
  if (kind == "glib_mutex") return Glib("mutex", "lock", "unlock");
  if (kind == "glib_recursive") return Glib("rec_mutex", "lock", "unlock");
  if (kind == "glib_rwlock") return Glib("rw_lock", "writer_lock", "writer_unlock");
  return Posix(kind);
}

void Both(const Kind& kind, int first, int second) {
  kind.take(first);   // LINE: has
  kind.take(second);  // LINE: wants
  kind.give(second);
  kind.give(first);
}

void Keep(const Kind& kind, long milliseconds) {
  kind.take(0);  // LINE: keeper takes
  SleepMicroseconds(milliseconds * 1000);
  kind.give(0);  // LINE: keeper gives
}

void Run(const char* name, const std::function<void()>& work) {
  std::thread([&] {
    NameThread(name);
    work();
  }).join();
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  HoldBack();
  std::string name = "mutex";
  for (int i = 1; i < argc; ++i) {
    if (strncmp(argv[i], "--kind=", 7) == 0) name = argv[i] + 7;
  }
  const Kind kind = KindOf(name);
  const bool healthy = HasOption(argc, argv, "--healthy") != 0;
  Ready();
  AwaitBegin();
  Run("one", [&] { Both(kind, 0, 1); });
  Run("two", [&] { Both(kind, healthy ? 0 : 1, healthy ? 1 : 0); });
  Run("keeper", [&] { Keep(kind, healthy ? 0 : NumberOption(argc, argv, "--milliseconds", 300)); });
  Done();
  Park();
}
