// Two threads take two std::mutexes in opposite order. --behind=N adds N threads that only read
// accounts; --profiler has signals arrive in every thread all the time, as a profiler's do.
#include <mutex>
#include <thread>

#include <sys/syscall.h>

#include "tests/targets/target.h"

std::mutex g_account_mu;
std::mutex g_ledger_mu;

namespace {

pthread_barrier_t both_have_one;
bool healthy = false;
bool profiled = false;

constexpr long kProfilerPeriodNs = 5'000'000;

void OnProfilerSignal(int) {}

// A timer for this thread alone: 200 signals a second, as a wall-clock profiler sends them.
void StartProfiler() {
  if (!profiled) return;
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGPROF;
  event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
  timer_t timer{};
  if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) abort();
  const itimerspec period{{0, kProfilerPeriodNs}, {0, kProfilerPeriodNs}};
  if (timer_settime(timer, 0, &period, nullptr) != 0) abort();
}

void Debit() {
  NameThread("io");
  StartProfiler();
  g_ledger_mu.lock();
  pthread_barrier_wait(&both_have_one);
  g_account_mu.lock();  // LINE: io waits
  abort();
}

void Audit() {
  NameThread("audit");
  StartProfiler();
  g_account_mu.lock();
  pthread_barrier_wait(&both_have_one);
  g_ledger_mu.lock();  // LINE: audit waits
  abort();
}

void ReadAccounts() {
  NameThread("reader");
  const std::lock_guard<std::mutex> lock(g_account_mu);  // LINE: reader waits
  if (!healthy) abort();
}

void InOrder(const char* name) {
  NameThread(name);
  StartProfiler();
  for (;;) {
    {
      const std::lock_guard<std::mutex> account(g_account_mu);
      const std::lock_guard<std::mutex> ledger(g_ledger_mu);
      Work();
    }
    Rest();
  }
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  healthy = HasOption(argc, argv, "--healthy") != 0;
  profiled = HasOption(argc, argv, "--profiler") != 0;
  if (profiled) {
    struct sigaction action {};
    action.sa_handler = OnProfilerSignal;
    sigaction(SIGPROF, &action, nullptr);
  }
  pthread_barrier_init(&both_have_one, nullptr, 3);
  std::thread io(healthy ? [] { InOrder("io"); } : Debit);
  std::thread audit(healthy ? [] { InOrder("audit"); } : Audit);
  if (!healthy) pthread_barrier_wait(&both_have_one);
  const long behind = NumberOption(argc, argv, "--behind", 0);
  for (long i = 0; i < behind; ++i) std::thread(ReadAccounts).detach();
  Ready();
  Park();
}
