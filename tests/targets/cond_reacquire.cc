// The consumer is woken inside pthread_cond_wait and must re-acquire the queue's mutex there, which
// the producer holds while it waits for the statistics' mutex that the consumer holds.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/targets/target.h"

std::mutex g_queue_mu;
std::mutex g_stats_mu;

namespace {

pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER;
bool has_item = false;

void Consume(bool healthy) {
  NameThread("consumer");
  do {
    if (!healthy) g_stats_mu.lock();
    g_queue_mu.lock();
    while (!has_item)
      pthread_cond_wait(&not_empty, g_queue_mu.native_handle());  // LINE: consumer waits
    has_item = false;
    g_queue_mu.unlock();
  } while (healthy);
}

void Produce(bool healthy) {
  NameThread("producer");
  do {
    Work();
    g_queue_mu.lock();
    has_item = true;
    pthread_cond_signal(&not_empty);
    g_stats_mu.lock();  // LINE: producer waits
    Work();
    g_stats_mu.unlock();
    g_queue_mu.unlock();
  } while (healthy);
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  const bool healthy = HasOption(argc, argv, "--healthy") != 0;
  std::thread consumer(Consume, healthy);
  // The consumer must be inside its wait before the producer comes.
  for (int i = 0; i < 100; ++i) Work();
  std::thread producer(Produce, healthy);
  Ready();
  Park();
}
