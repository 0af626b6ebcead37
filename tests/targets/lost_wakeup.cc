// A lost wake-up among three threads. main signalled "batch full" before the flusher waited for it;
// the flusher holds the batch's mutex meanwhile, the producer wants that mutex for its next item,
// and main waits for the semaphore that the flusher posts at the end. With --handler the process
// catches SIGUSR1.
#include <semaphore.h>

#include <mutex>
#include <thread>

#include "tests/targets/target.h"

std::mutex g_batch_mu;
pthread_cond_t g_full = PTHREAD_COND_INITIALIZER;
sem_t g_done;

namespace {

pthread_mutex_t full_mu = PTHREAD_MUTEX_INITIALIZER;
bool is_full = false;
bool healthy = false;

void AnnounceFull() {
  pthread_mutex_lock(&full_mu);
  is_full = true;
  pthread_cond_signal(&g_full);
  pthread_mutex_unlock(&full_mu);
}

void AwaitFull() {
  pthread_mutex_lock(&full_mu);
  // The mistake: it does not ask whether the batch is full already.
  if (!healthy || !is_full) pthread_cond_wait(&g_full, &full_mu);  // LINE: flusher waits
  is_full = false;
  pthread_mutex_unlock(&full_mu);
}

void Flush() {
  NameThread("flusher");
  do {
    if (healthy) AwaitFull();
    g_batch_mu.lock();
    if (!healthy) AwaitFull();
    Work();
    g_batch_mu.unlock();
    sem_post(&g_done);
  } while (healthy);
}

void Produce() {
  NameThread("producer");
  for (;;) {
    Work();
    Work();
    g_batch_mu.lock();  // LINE: producer waits
    Work();
    g_batch_mu.unlock();
    AnnounceFull();
  }
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  NameThread("main");
  healthy = HasOption(argc, argv, "--healthy") != 0;
  if (HasOption(argc, argv, "--handler")) {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    sigaction(SIGUSR1, &action, nullptr);
  }
  sem_init(&g_done, 0, 0);
  AnnounceFull();
  std::thread flusher(Flush);
  for (int i = 0; i < 20; ++i) Work();
  std::thread producer(Produce);
  Ready();
  for (;;) sem_wait(&g_done);  // LINE: main waits
}
