// One thread for every way to wait without being in trouble; main waits for a signal, as a server's
// main thread does.
#include <semaphore.h>

#include <condition_variable>
#include <future>
#include <latch>
#include <mutex>
#include <semaphore>
#include <thread>

#include "tests/targets/target.h"

namespace {

std::mutex idle_mu;
std::condition_variable work_to_do;
sem_t free_slots;
pthread_barrier_t phase;
std::promise<int> answer;
std::latch all_started{1};
std::atomic<int> epoch{0};
std::counting_semaphore<8> tokens{0};

void OnCondition() {
  NameThread("condition");
  std::unique_lock<std::mutex> lock(idle_mu);
  work_to_do.wait(lock, [] { return false; });
}
void OnSemaphore() {
  NameThread("semaphore");
  sem_wait(&free_slots);
}
void OnBarrier() {
  NameThread("barrier");
  pthread_barrier_wait(&phase);
}
void OnFuture() {
  NameThread("future");
  answer.get_future().get();
}
void OnLatch() {
  NameThread("latch");
  all_started.wait();
}
void OnAtomic() {
  NameThread("atomic");
  epoch.wait(0);
}
void OnTokens() {
  NameThread("tokens");
  tokens.acquire();
}

}  // namespace

int main() {
  DieWithParent();
  NameThread("main");
  sem_init(&free_slots, 0, 0);
  pthread_barrier_init(&phase, nullptr, 2);
  std::thread condition(OnCondition);
  std::thread semaphore(OnSemaphore);
  std::thread barrier(OnBarrier);
  std::thread future(OnFuture);
  std::thread latch(OnLatch);
  std::thread atomic(OnAtomic);
  std::thread waits_for_token(OnTokens);
  std::thread joiner([&condition] {
    NameThread("join");
    condition.join();
  });
  Ready();
  Park();
}
