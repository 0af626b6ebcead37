// Two processes in one memory space. By default the second is made with clone(CLONE_VM) and the two
// take two private mutexes in opposite order. With --vfork it is a vfork child, which waits for a
// mutex of its parent's thread "keeper" while the parent cannot go on before the child ends.
#include <sched.h>

#include <thread>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/targets/target.h"

pthread_mutex_t g_table = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t g_index = PTHREAD_MUTEX_INITIALIZER;

namespace {

constexpr size_t kStackSize = 1 << 20;
pthread_barrier_t both_have_one;
bool healthy = false;

// The clone has its creator's thread control block, so glibc would write its creator's tid as the
// owner. A runtime that creates such a process gives it one of its own; here only the tid counts.
void Lock(pthread_mutex_t* mutex) {
  pthread_mutex_lock(mutex);
  mutex->__data.__owner = static_cast<int>(syscall(SYS_gettid));
}

void InOrder() {
  for (;;) {
    Lock(&g_table);
    Lock(&g_index);
    Work();
    pthread_mutex_unlock(&g_index);
    pthread_mutex_unlock(&g_table);
    Rest();
  }
}

int RunClone(void*) {
  DieWithParent();
  NameThread("clone");
  if (healthy) InOrder();
  Lock(&g_index);
  pthread_barrier_wait(&both_have_one);
  pthread_mutex_lock(&g_table);  // LINE: clone waits
  abort();
}

void Keep() {
  NameThread("keeper");
  if (healthy) InOrder();
  Lock(&g_table);
  pthread_barrier_wait(&both_have_one);
  pthread_mutex_lock(&g_index);  // LINE: keeper waits
  abort();
}

// The parent thread sleeps inside vfork until the child ends, and holds g_index all the while.
void Spawn() {
  NameThread("spawner");
  do {
    Lock(&g_index);
    if (!healthy) pthread_barrier_wait(&both_have_one);
    // The keeper's wait is the older one.
    for (int i = 0; !healthy && i < 20; ++i) Work();
    const pid_t child = vfork();  // LINE: spawner waits
    if (child == 0) {
      NameThread("child");
      pthread_mutex_lock(&g_table);  // LINE: child waits
      Work();
      pthread_mutex_unlock(&g_table);
      _exit(0);
    }
    waitpid(child, nullptr, 0);
    pthread_mutex_unlock(&g_index);
  } while (healthy);
}

void KeepOnlyTable() {
  NameThread("keeper");
  for (;;) {
    Lock(&g_table);
    Work();
    pthread_mutex_unlock(&g_table);
    Rest();
  }
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  healthy = HasOption(argc, argv, "--healthy") != 0;
  pthread_barrier_init(&both_have_one, nullptr, 2);
  if (HasOption(argc, argv, "--vfork")) {
    std::thread keeper(healthy ? KeepOnlyTable : Keep);
    std::thread spawner(Spawn);
    Ready();
    Park();
  }
  std::thread keeper(Keep);
  char* stack = static_cast<char*>(mmap(nullptr, kStackSize, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0));
  const pid_t child = clone(RunClone, stack + kStackSize, CLONE_VM | SIGCHLD, nullptr);
  Fact("clone", child);
  Ready();
  Park();
}
