// Keeps a child that has ended and that nobody waits for; and starts threads and processes that end
// at once, so that some die while they are looked at (--churn).
#include <thread>

#include <sys/wait.h>

#include "tests/targets/target.h"

int main(int argc, char** argv) {
  DieWithParent();
  const pid_t child = fork();
  if (child == 0) _exit(0);
  Fact("zombie", child);
  siginfo_t info;
  if (waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) != 0) abort();
  Ready();
  while (HasOption(argc, argv, "--churn")) {
    std::thread([] {}).join();
    const pid_t brief = fork();
    if (brief == 0) _exit(0);
    waitpid(brief, nullptr, 0);
  }
  Park();
}
