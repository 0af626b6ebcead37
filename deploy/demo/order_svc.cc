// The demo: a small service that deadlocks by itself. `post` takes the ledger's lock and then the
// account's; `audit` takes them the other way round. Once both hold one, everybody else who needs
// either waits behind them, and the service hangs with no error and no CPU.
#include <pthread.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <sys/prctl.h>

namespace {

std::mutex g_ledger_mu;
std::mutex g_accounts_mu;

// Long enough for the other thread to take its first lock.
void Work() { std::this_thread::sleep_for(std::chrono::milliseconds(50)); }

struct AccountStore {
  __attribute__((noinline)) static void Debit() {
    const std::lock_guard lock(g_accounts_mu);
    Work();
  }
  __attribute__((noinline)) static void Get() {
    const std::lock_guard lock(g_accounts_mu);
    Work();
  }
};

struct Ledger {
  __attribute__((noinline)) static void Append() {
    const std::lock_guard lock(g_ledger_mu);
    Work();
  }
  __attribute__((noinline)) static void Post() {
    const std::lock_guard lock(g_ledger_mu);
    Work();
    AccountStore::Debit();
  }
};

struct Audit {
  __attribute__((noinline)) static void Run() {
    const std::lock_guard lock(g_accounts_mu);
    Work();
    Ledger::Append();
  }
};

std::thread Start(const std::string& name, void (*run)()) {
  return std::thread([name, run] {
    pthread_setname_np(pthread_self(), name.c_str());
    run();
  });
}

}  // namespace

int main() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::vector<std::thread> threads;
  threads.push_back(Start("io-1", Ledger::Post));
  threads.push_back(Start("audit-1", Audit::Run));
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  for (int i = 2; i < 8; ++i) {
    threads.push_back(Start("io-" + std::to_string(i), AccountStore::Get));
  }
  for (int i = 1; i < 4; ++i) {
    threads.push_back(Start("report-" + std::to_string(i), Ledger::Append));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  puts("READY");
  fflush(stdout);
  for (std::thread& thread : threads) thread.join();
  return 0;
}
