// How fast records of waits are taken in: two threads wake each other without end, the ring buffer
// fills, and what is in it is received and put in order.
//
//   records_bench KIB-OF-STACK ROUNDS    a line for each round: "RECORDS NS" of CPU time
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>
#include <thread>
#include <unordered_set>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kernel/waits.h"
#include "tests/targets/target.h"

namespace {

std::atomic<std::uint32_t> g_turn[2];

void Play(std::size_t me) {
  for (;;) {
    while (g_turn[me] == 0) {
      syscall(SYS_futex, &g_turn[me], FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
    }
    g_turn[me] = 0;
    g_turn[1 - me] = 1;
    syscall(SYS_futex, &g_turn[1 - me], FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
}

pid_t StartPlayers() {
  const pid_t child = fork();
  if (child != 0) return child;
  DieWithParent();
  // On one CPU, where a turn is cheapest: the last, if nobody is to be disturbed.
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &one);
  sched_setaffinity(0, sizeof(one), &one);
  g_turn[0] = 1;
  std::thread first(Play, 0);
  std::thread second(Play, 1);
  first.join();
  _exit(0);
}

ct::DurationNs CpuTime() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec * ct::kSecond + time.tv_nsec;
}

int Complain(const ct::Error& error) {
  std::cerr << "records_bench: " << error.message << '\n';
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: records_bench KIB-OF-STACK ROUNDS\n";
    return 2;
  }
  const ct::Result<ct::KernelFeatures> features = ct::ProbeFeatures({});
  if (!features) return Complain(features.error());
  ct::Result<ct::WaitsPlan> plan = ct::PlanWaits(*features);
  if (!plan) return Complain(plan.error());
  plan->min_wait = 0;
  plan->stack_bytes = static_cast<std::uint32_t>(std::stoul(argv[1])) << 10;
  const pid_t players = StartPlayers();
  ct::Result<std::unique_ptr<ct::WaitTracer>> tracer = ct::WaitTracer::Load(*plan);
  if (!tracer) return Complain(tracer.error());
  const std::unordered_set<pid_t> selected{players};
  if (ct::Status status = (*tracer)->Select(&selected); !status) return Complain(status.error());
  for (int round = std::stoi(argv[2]); round > 0; --round) {
    (*tracer)->Resume();
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    (*tracer)->Pause();
    const ct::DurationNs begin = CpuTime();
    if (ct::Status status = (*tracer)->Receive(0); !status) return Complain(status.error());
    const std::size_t records = (*tracer)->Take(true).size();
    std::cout << records << ' ' << CpuTime() - begin << std::endl;
  }
  kill(players, SIGKILL);
  waitpid(players, nullptr, 0);
}
