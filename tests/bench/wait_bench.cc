// Loops of calls that counting waits makes slower, or must not, in slices on request.
//
// Standard input: lines of "WORKLOAD MILLISECONDS"; for each, standard output: "OPERATIONS NS".
//   handoff      two threads on one CPU wake each other by futex(2): each turn is a wait
//   uncontended  a mutex that nobody else wants
//   getppid      a system call that is none of ours
//   epoll        an echo between two threads on one CPU, by eventfd and epoll
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>

#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "tests/targets/target.h"

namespace {

using Clock = std::chrono::steady_clock;

std::atomic<bool> g_stop;
std::array<std::atomic<std::uint32_t>, 2> g_turn;

void PinToLastCpu() {
  cpu_set_t all;
  if (sched_getaffinity(0, sizeof(all), &all) != 0) return;
  for (int cpu = CPU_SETSIZE - 1; cpu >= 0; --cpu) {
    if (!CPU_ISSET(cpu, &all)) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
    return;
  }
}

void Give(std::size_t to) {
  g_turn[to] = 1;
  syscall(SYS_futex, &g_turn[to], FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

std::uint64_t Handoff(std::size_t me) {
  PinToLastCpu();
  std::uint64_t operations = 0;
  for (;;) {
    while (g_turn[me] == 0) {
      syscall(SYS_futex, &g_turn[me], FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
    }
    g_turn[me] = 0;
    // Before the turn is given: who gets it sees it, too, and is not left waiting.
    const bool stop = g_stop;
    Give(1 - me);
    if (stop) return operations;
    ++operations;
  }
}

std::uint64_t Uncontended() {
  std::mutex mutex;
  std::uint64_t operations = 0;
  for (; !g_stop; operations += 256) {
    for (int i = 0; i < 256; ++i) {
      mutex.lock();
      mutex.unlock();
    }
  }
  return operations;
}

std::uint64_t GetParent() {
  std::uint64_t operations = 0;
  for (; !g_stop; operations += 256) {
    for (int i = 0; i < 256; ++i) syscall(SYS_getppid);
  }
  return operations;
}

std::uint64_t Echo(int in, int out) {
  PinToLastCpu();
  const int events = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  epoll_ctl(events, EPOLL_CTL_ADD, in, &event);
  std::uint64_t operations = 0;
  for (;; ++operations) {
    std::uint64_t value = 0;
    epoll_wait(events, &event, 1, -1);
    if (read(in, &value, sizeof(value)) != sizeof(value)) break;
    const bool stop = g_stop;
    value = 1;
    if (write(out, &value, sizeof(value)) != sizeof(value) || stop) break;
  }
  close(events);
  return operations;
}

struct Threads {
  std::thread first;
  std::thread second;
};

template <class First, class Second>
std::uint64_t RunBoth(First first, Second second, std::chrono::milliseconds time) {
  std::atomic<std::uint64_t> operations = 0;
  Threads threads{std::thread([&] { operations += first(); }),
                  std::thread([&] { operations += second(); })};
  std::this_thread::sleep_for(time);
  g_stop = true;
  threads.first.join();
  threads.second.join();
  return operations;
}

template <class Loop>
std::uint64_t RunOne(Loop loop, std::chrono::milliseconds time) {
  std::uint64_t operations = 0;
  std::thread thread([&] {
    PinToLastCpu();
    operations = loop();
  });
  std::this_thread::sleep_for(time);
  g_stop = true;
  thread.join();
  return operations;
}

std::uint64_t Slice(const std::string& workload, std::chrono::milliseconds time) {
  g_stop = false;
  if (workload == "handoff") {
    g_turn[0] = 1;
    g_turn[1] = 0;
    return RunBoth([] { return Handoff(0); }, [] { return Handoff(1); }, time);
  }
  if (workload == "uncontended") return RunOne(Uncontended, time);
  if (workload == "getppid") return RunOne(GetParent, time);
  if (workload != "epoll") return 0;
  const int there = eventfd(1, EFD_CLOEXEC);
  const int back = eventfd(0, EFD_CLOEXEC);
  const std::uint64_t operations =
      RunBoth([&] { return Echo(there, back); }, [&] { return Echo(back, there); }, time);
  close(there);
  close(back);
  return operations;
}

}  // namespace

int main() {
  DieWithParent();
  std::string workload;
  long milliseconds = 0;
  while (std::cin >> workload >> milliseconds) {
    const Clock::time_point begin = Clock::now();
    const std::uint64_t operations = Slice(workload, std::chrono::milliseconds(milliseconds));
    const auto time = std::chrono::nanoseconds(Clock::now() - begin).count();
    std::cout << operations << ' ' << time << std::endl;
  }
}
