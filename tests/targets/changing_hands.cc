// Locks whose holders go another way than lock and unlock. Begins at SIGUSR1, says DONE, and stays.
//   (nothing)   "jumper" leaves its critical section by longjmp and never comes back to it;
//   "waiter"
//               waits
//   --jumps     it comes back: unlocks where it has jumped to, a hundred times over
//   --exits     "guest" ends with the mutex; "waiter" waits
//   --forks     "parent" forks with the mutex in hand; the child, which prints what it does, uses
//               other locks and ends. Prints child=0, its status, once both have let go
//   --execs     "parent" becomes another program with the mutex in hand
//   --threads   threads come, take, let go and end, five thousand of them
#include <setjmp.h>

#include <atomic>
#include <mutex>
#include <thread>

#include <sys/wait.h>

#include "tests/targets/target.h"

std::mutex g_state_mu;
std::mutex g_other_mu;

namespace {

std::atomic<bool> g_has;

__attribute__((noinline)) void Fail(jmp_buf back) { longjmp(back, 1); }

void LeaveByJump() {
  NameThread("jumper");
  jmp_buf back;
  if (setjmp(back) == 0) {
    g_state_mu.lock();  // LINE: jumper takes
    Fail(back);
  }
  g_has = true;
  Park();  // LINE: jumper is
}

void WaitForIt() {
  NameThread("waiter");
  while (!g_has) Rest();
  g_state_mu.lock();  // LINE: waiter waits
  abort();
}

void JumpAndUnlock() {
  jmp_buf back;
  if (setjmp(back) == 0) {
    g_state_mu.lock();
    Fail(back);
  }
  g_state_mu.unlock();
}

void JumpAndReturn() {
  NameThread("jumper");
  for (int i = 0; i < 100; ++i) JumpAndUnlock();
}

void Guest() {
  NameThread("guest");
  g_state_mu.lock();
}

int ChildOfFork() {
  NameThread("child");
  for (int i = 0; i < 100; ++i) {
    const std::lock_guard<std::mutex> lock(g_other_mu);
  }
  // The other way round than its parent: in another memory.
  const std::lock_guard<std::mutex> other(g_other_mu);
  g_state_mu.unlock();
  const std::lock_guard<std::mutex> state(g_state_mu);
  return 0;
}

void ForkHolding() {
  NameThread("parent");
  g_state_mu.lock();
  const pid_t child = fork();
  if (child == 0) _exit(ChildOfFork());
  int status = -1;
  waitpid(child, &status, 0);
  { const std::lock_guard<std::mutex> other(g_other_mu); }
  g_state_mu.unlock();
  Fact("child", status);
}

void ExecHolding() {
  NameThread("parent");
  g_state_mu.lock();
  execl("/bin/sh", "sh", "-c", "echo DONE; exec sleep 600", nullptr);
}

void ManyThreads() {
  for (int i = 0; i < 5000; ++i) {
    std::thread([] {
      const std::lock_guard<std::mutex> state(g_state_mu);
      const std::lock_guard<std::mutex> other(g_other_mu);
    }).join();
  }
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  HoldBack();
  Ready();
  AwaitBegin();
  if (HasOption(argc, argv, "--jumps")) {
    std::thread(JumpAndReturn).join();
  } else if (HasOption(argc, argv, "--exits")) {
    std::thread(Guest).join();
    g_has = true;
    std::thread(WaitForIt).detach();
  } else if (HasOption(argc, argv, "--forks")) {
    std::thread(ForkHolding).join();
  } else if (HasOption(argc, argv, "--execs")) {
    std::thread(ExecHolding).join();
  } else if (HasOption(argc, argv, "--threads")) {
    ManyThreads();
  } else {
    std::thread(LeaveByJump).detach();
    std::thread(WaitForIt).detach();
  }
  Done();
  Park();
}
