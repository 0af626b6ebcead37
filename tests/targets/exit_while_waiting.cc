// A thread ends while it waits for a mutex, and later another one of the same tid waits three
// times. How it ends is said by --how=
//   thread   its signal handler ends the thread alone
//   process  another thread ends the process
//   killed   by SIGKILL
// Starts at SIGUSR1. Says "pid=", which is also the tid of both, "at_least=NS" and "at_most=NS"
// (how long the first waited), "waited=NS" (what the second measured), then DONE.
#include <atomic>
#include <cerrno>
#include <mutex>
#include <string>
#include <thread>

#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/targets/target.h"

std::mutex g_mu;

namespace {

constexpr long kHeirWaits = 3;

struct Shared {
  std::atomic<bool> end_process;
  std::atomic<long long> begin;  // of the victim's wait
  std::atomic<long long> end;    // where the victim can tell
};
Shared* g_shared;

void EndThread(int) {
  g_shared->end = NowNs();
  syscall(SYS_exit, 0);
}

// Its main thread waits, so that the thread to come can be had by its tid.
[[noreturn]] void RunVictim() {
  DieWithParent();
  NameThread("victim");
  struct sigaction action {};
  action.sa_handler = EndThread;
  sigaction(SIGUSR2, &action, nullptr);
  std::atomic<bool> held = false;
  std::thread([&held] {
    NameThread("holder");
    g_mu.lock();
    held = true;
    while (!g_shared->end_process) SleepMicroseconds(100);
    _exit(0);
  }).detach();
  while (!held) SleepMicroseconds(100);
  g_shared->begin = NowNs();
  g_mu.lock();
  abort();
}

int RunHeir() {
  DieWithParent();
  NameThread("heir");
  std::atomic<long> held = 0;
  std::atomic<long> done = 0;
  std::thread([&held, &done] {
    NameThread("holder");
    for (long i = 1; i <= kHeirWaits; ++i) {
      g_mu.lock();
      held = i;
      AwaitInFutex(getpid(), getpid());
      SleepMicroseconds(20'000);
      g_mu.unlock();
      while (done < i) SleepMicroseconds(100);
    }
    Park();
  }).detach();
  long waited = 0;
  for (long i = 1; i <= kHeirWaits; ++i) {
    while (held < i) SleepMicroseconds(100);
    const long long begin = NowNs();
    g_mu.lock();
    waited += static_cast<long>(NowNs() - begin);
    g_mu.unlock();
    done = i;
  }
  Fact("waited", waited);
  printf("DONE\n");
  fflush(stdout);
  Park();
  return 0;
}

// fork(), and the child has this pid; then it is another program, whose libc knows its own tid.
void StartHeirAs(pid_t pid, char** argv) {
  struct clone_args arguments {};
  arguments.exit_signal = SIGCHLD;
  arguments.set_tid = reinterpret_cast<std::uintptr_t>(&pid);
  arguments.set_tid_size = 1;
  for (;;) {
    const long child = syscall(SYS_clone3, &arguments, sizeof(arguments));
    if (child == pid) return;
    if (child == 0) {
      execl("/proc/self/exe", argv[0], "--heir", nullptr);
      _exit(1);
    }
    if (errno != EEXIST) abort();
    SleepMicroseconds(1000);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (HasOption(argc, argv, "--heir")) return RunHeir();
  DieWithParent();
  g_shared =
      new (mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
          Shared{};
  sigset_t start;
  sigemptyset(&start);
  sigaddset(&start, SIGUSR1);
  sigprocmask(SIG_BLOCK, &start, nullptr);
  Ready();
  int signal = 0;
  sigwait(&start, &signal);

  const pid_t victim = fork();
  if (victim == 0) RunVictim();
  while (g_shared->begin == 0) SleepMicroseconds(100);
  AwaitInFutex(victim, victim);
  const long long asleep = NowNs();
  SleepMicroseconds(20'000);
  const long long before = NowNs();
  if (HasOption(argc, argv, "--how=thread")) {
    syscall(SYS_tgkill, victim, victim, SIGUSR2);
    while (g_shared->end == 0) SleepMicroseconds(100);
    // Its process goes on for a while.
    SleepMicroseconds(20'000);
    kill(victim, SIGKILL);
  } else if (HasOption(argc, argv, "--how=process")) {
    g_shared->end_process = true;
  } else {
    kill(victim, SIGKILL);
  }
  waitpid(victim, nullptr, 0);
  const long long end = g_shared->end != 0 ? g_shared->end.load() : NowNs();
  Fact("pid", victim);
  Fact("at_least", static_cast<long>(before - asleep));
  Fact("at_most", static_cast<long>(end - g_shared->begin));
  StartHeirAs(victim, argv);
  Park();
}
