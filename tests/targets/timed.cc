// A 2-lock cycle in which one of the waits gives up after ten minutes.
#include <thread>

#include "tests/targets/target.h"

pthread_mutex_t g_disk = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t g_net = PTHREAD_MUTEX_INITIALIZER;

namespace {

constexpr int kTimeoutSeconds = 600;
pthread_barrier_t both_have_one;

timespec InTenMinutes() {
  timespec when{};
  clock_gettime(CLOCK_REALTIME, &when);
  when.tv_sec += kTimeoutSeconds;
  return when;
}

void Patient() {
  NameThread("patient");
  pthread_mutex_lock(&g_disk);
  pthread_barrier_wait(&both_have_one);
  pthread_mutex_lock(&g_net);  // LINE: patient waits
  abort();
}

void Hasty() {
  NameThread("hasty");
  pthread_mutex_lock(&g_net);
  pthread_barrier_wait(&both_have_one);
  const timespec when = InTenMinutes();
  pthread_mutex_timedlock(&g_disk, &when);  // LINE: hasty waits
  abort();
}

void InOrder(const char* name) {
  NameThread(name);
  for (;;) {
    const timespec when = InTenMinutes();
    if (pthread_mutex_timedlock(&g_disk, &when) != 0) abort();
    pthread_mutex_lock(&g_net);
    Work();
    pthread_mutex_unlock(&g_net);
    pthread_mutex_unlock(&g_disk);
    Rest();
  }
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  const bool healthy = HasOption(argc, argv, "--healthy") != 0;
  pthread_barrier_init(&both_have_one, nullptr, 2);
  std::thread patient(healthy ? [] { InOrder("patient"); } : Patient);
  std::thread hasty(healthy ? [] { InOrder("hasty"); } : Hasty);
  Ready();
  Park();
}
