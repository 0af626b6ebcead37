// Threads are cancelled in pthread_cond_wait, forty times over; each clean-up handler lets go of
// the mutex that the wait took again. Begins at SIGUSR1, prints what is true without anybody
// looking
// ("cleaned=40", "free=1": the mutex is nobody's), says DONE, and ends with status 0; with --stays
// it does not end.
#include "tests/targets/target.h"

pthread_mutex_t g_jobs_mu = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t g_jobs = PTHREAD_COND_INITIALIZER;

namespace {

constexpr int kThreads = 40;
int cleaned = 0;
int waiting = 0;

void CleanUp(void*) {
  ++cleaned;
  pthread_mutex_unlock(&g_jobs_mu);
}

void* WaitForJobs(void*) {
  NameThread("consumer");
  pthread_mutex_lock(&g_jobs_mu);
  ++waiting;
  pthread_cleanup_push(CleanUp, nullptr);
  for (;;) pthread_cond_wait(&g_jobs, &g_jobs_mu);
  pthread_cleanup_pop(1);
  return nullptr;
}

bool SomebodyWaits() {
  pthread_mutex_lock(&g_jobs_mu);
  const bool waits = waiting > 0;
  if (waits) waiting = 0;
  pthread_mutex_unlock(&g_jobs_mu);
  return waits;
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  HoldBack();
  Ready();
  AwaitBegin();
  for (int i = 0; i < kThreads; ++i) {
    pthread_t thread{};
    if (pthread_create(&thread, nullptr, WaitForJobs, nullptr) != 0) return 1;
    while (!SomebodyWaits()) Rest();
    pthread_cancel(thread);
    void* result = nullptr;
    pthread_join(thread, &result);
    if (result != PTHREAD_CANCELED) return 1;
  }
  Fact("cleaned", cleaned);
  Fact("free", pthread_mutex_trylock(&g_jobs_mu) == 0);
  pthread_mutex_unlock(&g_jobs_mu);
  Done();
  if (HasOption(argc, argv, "--stays")) Park();
}
