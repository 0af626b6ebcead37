// Two processes, "left" and "right", with two process-shared mutexes in one file in memory, which
// each maps at another address. By default they take them in opposite order. With --hold, right
// holds only the first and sleeps, with --hold-spin it computes, and left waits for it.
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/targets/target.h"

namespace {

struct Shared {
  pthread_mutex_t orders;
  pthread_mutex_t stock;
  pthread_barrier_t both_have_one;
};

Shared* MapAt(int file, int pages_before) {
  // Something else first, so that the two processes get different addresses.
  if (pages_before > 0) {
    mmap(nullptr, static_cast<size_t>(pages_before) << 12, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
         -1, 0);
  }
  void* address = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (address == MAP_FAILED) abort();
  return static_cast<Shared*>(address);
}

void Initialize(Shared* shared) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&shared->orders, &attributes);
  pthread_mutex_init(&shared->stock, &attributes);
  pthread_barrierattr_t barrier_attributes;
  pthread_barrierattr_init(&barrier_attributes);
  pthread_barrierattr_setpshared(&barrier_attributes, PTHREAD_PROCESS_SHARED);
  pthread_barrier_init(&shared->both_have_one, &barrier_attributes, 2);
}

void InOrder(Shared* shared) {
  for (;;) {
    pthread_mutex_lock(&shared->orders);
    pthread_mutex_lock(&shared->stock);
    Work();
    pthread_mutex_unlock(&shared->stock);
    pthread_mutex_unlock(&shared->orders);
    Rest();
  }
}

void Left(Shared* shared) {
  pthread_mutex_lock(&shared->stock);
  pthread_barrier_wait(&shared->both_have_one);
  pthread_mutex_lock(&shared->orders);  // LINE: left waits
  abort();
}

void Right(Shared* shared) {
  pthread_mutex_lock(&shared->orders);
  pthread_barrier_wait(&shared->both_have_one);
  pthread_mutex_lock(&shared->stock);  // LINE: right waits
  abort();
}

void RightHolds(Shared* shared, bool spin) {
  pthread_mutex_lock(&shared->orders);
  pthread_barrier_wait(&shared->both_have_one);
  volatile unsigned long turns = 0;
  while (spin) turns = turns + 1;  // LINE: right spins
  Park();                          // LINE: right sleeps
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  const int file = memfd_create("orders", 0);
  if (file < 0 || ftruncate(file, sizeof(Shared)) != 0) abort();
  Initialize(MapAt(file, 0));
  const bool healthy = HasOption(argc, argv, "--healthy") != 0;
  const bool spin = HasOption(argc, argv, "--hold-spin") != 0;
  const bool hold = spin || HasOption(argc, argv, "--hold") != 0;

  const pid_t child = fork();
  if (child == 0) {
    DieWithParent();
    NameThread("right");
    Shared* shared = MapAt(file, 5);
    healthy ? InOrder(shared) : hold ? RightHolds(shared, spin) : Right(shared);
  }
  NameThread("left");
  Shared* shared = MapAt(file, 0);
  Fact("right", child);
  Ready();
  healthy ? InOrder(shared) : Left(shared);
}
