// A process forks while another of its threads holds a mutex. The parent goes on; in the child the
// lock stays locked by a thread that does not exist there.
#include <mutex>
#include <thread>

#include <sys/wait.h>

#include "tests/targets/target.h"

std::mutex g_log_mu;

namespace {

void Log() {
  NameThread("logger");
  for (;;) {
    {
      const std::lock_guard<std::mutex> lock(g_log_mu);
      Work();
    }
    Rest();
  }
}

void ChildLogs(bool healthy) {
  DieWithParent();
  NameThread("child");
  do {
    g_log_mu.lock();  // LINE: child waits
    Work();
    g_log_mu.unlock();
  } while (healthy);
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  const bool healthy = HasOption(argc, argv, "--healthy") != 0;
  // Healthy: as pthread_atfork handlers do it, the forking thread owns the lock itself.
  std::thread logger;
  if (!healthy) {
    logger = std::thread(Log);
    while (g_log_mu.try_lock()) {
      g_log_mu.unlock();
      Work();
    }
  } else {
    g_log_mu.lock();
  }
  pid_t child = 0;
  for (;;) {
    child = fork();
    if (child == 0) {
      if (healthy) g_log_mu.unlock();
      ChildLogs(healthy);
      _exit(0);
    }
    if (healthy) break;
    // The logger may have released the lock just before the fork: such a child ends at once.
    for (int i = 0; i < 50; ++i) Work();
    if (waitpid(child, nullptr, WNOHANG) == 0) break;
  }
  if (healthy) {
    g_log_mu.unlock();
    logger = std::thread(Log);
  }
  Fact("child", child);
  Ready();
  Park();
}
