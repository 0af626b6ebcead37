// What lock_kinds.cc does, with absl::Mutex: taken and given back by its own functions, by readers
// (--readers: nobody keeps another one out), and waited in (--waits: for a second, with nothing in
// hand). Begins at SIGUSR1, says DONE, and stays.
#include <functional>
#include <thread>

#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "tests/targets/target.h"

absl::Mutex g_routes;
absl::Mutex g_peers;

namespace {

void Both(absl::Mutex& first, absl::Mutex& second) {
  first.Lock();   // LINE: absl has
  second.Lock();  // LINE: absl wants
  second.Unlock();
  first.Unlock();
}

void ReadBoth(absl::Mutex& first, absl::Mutex& second) {
  first.ReaderLock();
  second.ReaderLock();
  second.ReaderUnlock();
  first.ReaderUnlock();
}

void Keep(long milliseconds) {
  g_routes.Lock();  // LINE: absl takes
  SleepMicroseconds(milliseconds * 1000);
  g_routes.Unlock();  // LINE: absl gives
}

void Wait() {
  absl::CondVar never;
  g_routes.Lock();
  never.WaitWithTimeout(&g_routes, absl::Seconds(1));
  g_routes.Unlock();
}

void Run(const char* name, const std::function<void()>& work) {
  std::thread([&] {
    NameThread(name);
    work();
  }).join();
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  HoldBack();
  // Debian's library looks for inversions itself, and aborts.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  Ready();
  AwaitBegin();
  if (HasOption(argc, argv, "--waits")) {
    Run("consumer", Wait);
  } else if (HasOption(argc, argv, "--readers")) {
    Run("one", [] { ReadBoth(g_routes, g_peers); });
    Run("two", [] { ReadBoth(g_peers, g_routes); });
  } else {
    const bool healthy = HasOption(argc, argv, "--healthy") != 0;
    Run("one", [] { Both(g_routes, g_peers); });
    Run("two", [=] { Both(healthy ? g_routes : g_peers, healthy ? g_peers : g_routes); });
    Run("keeper", [=] { Keep(healthy ? 0 : 300); });
  }
  Done();
  Park();
}
