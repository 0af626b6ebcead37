// The 2-lock cycle with typed mutexes: --robust, --pi, --recursive, --errorcheck or --adaptive.
// With --pi only the first is a PI mutex: the kernel refuses a cycle of PI mutexes alone, and
// glibc then parks the thread that closed it for ever on a word of its own stack (--pi-both).
#include <thread>

#include "tests/targets/target.h"

pthread_mutex_t g_first;
pthread_mutex_t g_second;

namespace {

pthread_barrier_t both_have_one;

void Forward() {
  NameThread("forward");
  pthread_mutex_lock(&g_first);
  pthread_barrier_wait(&both_have_one);
  pthread_mutex_lock(&g_second);  // LINE: forward waits
  abort();
}

void Backward() {
  NameThread("backward");
  pthread_mutex_lock(&g_second);
  pthread_barrier_wait(&both_have_one);
  pthread_mutex_lock(&g_first);  // LINE: backward waits
  abort();
}

void InOrder(const char* name) {
  NameThread(name);
  for (;;) {
    pthread_mutex_lock(&g_first);
    pthread_mutex_lock(&g_second);
    Work();
    pthread_mutex_unlock(&g_second);
    pthread_mutex_unlock(&g_first);
    Rest();
  }
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  if (HasOption(argc, argv, "--robust")) {
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  }
  if (HasOption(argc, argv, "--recursive")) {
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  }
  if (HasOption(argc, argv, "--errorcheck")) {
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  }
  if (HasOption(argc, argv, "--adaptive")) {
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
  }
  const bool pi_both = HasOption(argc, argv, "--pi-both") != 0;
  if (HasOption(argc, argv, "--pi") || pi_both) {
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
  }
  pthread_mutex_init(&g_first, &attributes);
  if (!pi_both) pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_NONE);
  pthread_mutex_init(&g_second, &attributes);

  const bool healthy = HasOption(argc, argv, "--healthy") != 0;
  pthread_barrier_init(&both_have_one, nullptr, 2);
  std::thread forward(healthy ? [] { InOrder("forward"); } : Forward);
  std::thread backward(healthy ? [] { InOrder("backward"); } : Backward);
  Ready();
  Park();
}
