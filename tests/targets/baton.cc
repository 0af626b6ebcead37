// A semaphore of one unit used as a lock: after some turns of all three (SIGUSR1 starts them)
// "keeper" gives it to "clerk", while "ledger" stands behind with the ledger's mutex in its hands.
// Clerk wants that mutex next. No stack and no word of memory says that clerk has the unit; only
// who was let go when does. With --healthy clerk only works for long instead.
#include <semaphore.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "tests/targets/target.h"

std::mutex g_ledger_mu;
sem_t g_baton;

namespace {

constexpr int kTurns = 8;
std::atomic<bool> g_healthy;
std::atomic<bool> g_started;
std::atomic<int> g_turns;
std::atomic<bool> g_clerk_waits;
std::atomic<bool> g_last_turn;
std::atomic<bool> g_ledger_waits;

// Nothing of it is left on the stack.
__attribute__((noinline)) void Take() { sem_wait(&g_baton); }  // LINE: ledger waits
__attribute__((noinline)) void Give() { sem_post(&g_baton); }

// Until a thread sleeps, as far as can be seen from inside: it is about to, and has had time.
void GiveItTime() { SleepMicroseconds(100'000); }

// Each gives it to one who waits, and stands aside until that one has it.
void TakeTurns() {
  for (int i = 0; i < kTurns; ++i) {
    Take();
    const int turn = ++g_turns;
    SleepMicroseconds(3'000);
    Give();
    while (turn < 3 * kTurns && g_turns == turn) Rest();
  }
}

void Keep() {
  NameThread("keeper");
  while (!g_started) Work();
  TakeTurns();
  Take();
  g_last_turn = true;
  while (!g_ledger_waits) Work();
  GiveItTime();
  GiveItTime();
  Give();
  Park();
}

void Write() {
  NameThread("clerk");
  while (!g_started) Work();
  TakeTurns();
  while (!g_last_turn) Work();
  g_clerk_waits = true;
  Take();
  if (!g_healthy) g_ledger_mu.lock();  // LINE: clerk waits
  SleepMicroseconds(2'500'000);
  Give();
  Park();
}

void Balance() {
  NameThread("ledger");
  while (!g_started) Work();
  TakeTurns();
  while (!g_clerk_waits) Work();
  GiveItTime();
  const std::lock_guard<std::mutex> guard(g_ledger_mu);
  g_ledger_waits = true;
  Take();
  Give();
  printf("DONE\n");
  fflush(stdout);
  Park();
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  g_healthy = HasOption(argc, argv, "--healthy") != 0;
  sem_init(&g_baton, 0, 1);
  sigset_t start;
  sigemptyset(&start);
  sigaddset(&start, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &start, nullptr);
  std::thread keeper(Keep);
  std::thread clerk(Write);
  std::thread ledger(Balance);
  Ready();
  int number = 0;
  sigwait(&start, &number);
  g_started = true;
  keeper.join();
}
