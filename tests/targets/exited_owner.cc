// A thread ended while it held a mutex; another one waits for it. With --reuse (in a pid namespace
// of its own, where the next tid can be chosen) the owner's tid is given to a new, innocent thread.
#include <fcntl.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>

#include <sys/syscall.h>

#include "tests/targets/target.h"

std::mutex g_session_mu;

namespace {

std::atomic<pid_t> owner_tid{0};

pid_t OwnTid() { return static_cast<pid_t>(syscall(SYS_gettid)); }

void Quit() {
  NameThread("quitter");
  owner_tid = OwnTid();
  g_session_mu.lock();
}

void WaitForSession() {
  NameThread("waiter");
  g_session_mu.lock();  // LINE: waiter waits
  abort();
}

void LockAndUnlock(const char* name) {
  NameThread(name);
  {
    const std::lock_guard<std::mutex> lock(g_session_mu);
    Work();
  }
  Rest();
}

void WriteNextTid(pid_t tid) {
  const int file = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
  const std::string last = std::to_string(tid - 1);
  if (file < 0 || write(file, last.data(), last.size()) < 0) abort();
  close(file);
}

void StartInnocent() {
  for (int attempt = 0; attempt < 100; ++attempt) {
    WriteNextTid(owner_tid);
    std::atomic<pid_t> tid{0};
    std::thread([&tid] {
      NameThread("innocent");
      const pid_t own = OwnTid();
      tid = own;
      tid.notify_one();
      if (own == owner_tid) Park();
    }).detach();
    tid.wait(0);
    if (tid == owner_tid) return;
  }
  abort();
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  if (HasOption(argc, argv, "--healthy")) {
    Ready();
    std::thread waiter([] {
      for (;;) LockAndUnlock("waiter");
    });
    for (;;) std::thread([] { LockAndUnlock("quitter"); }).join();
  }
  std::thread(Quit).join();
  std::thread waiter(WaitForSession);
  Fact("owner", owner_tid);
  if (HasOption(argc, argv, "--reuse")) {
    // As on a host: a tid does not come round again within a second.
    std::this_thread::sleep_for(std::chrono::milliseconds(1200));
    StartInnocent();
  }
  Ready();
  Park();
}
