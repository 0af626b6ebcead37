// The kernel side of watching event loops: which calls end an iteration, and how long it was
// without the time in which its thread had no CPU. Each way of being called by the kernel.
#include "kernel/loops.h"

#include <poll.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>

#include "base/unique_fd.h"
#include "tests/integration/harness.h"

namespace ct::test {
namespace {

constexpr DurationNs kThreshold = 100 * kMillisecond;
constexpr DurationNs kSlow = 150 * kMillisecond;

// Of this process.
std::unique_ptr<LoopTracer> Trace(const std::vector<std::string>& without) {
  const auto features = ProbeFeatures(without);
  if (!features) throw std::runtime_error(features.error().message);
  auto plan = PlanLoops(*features);
  if (!plan) throw std::runtime_error(plan.error().message);
  plan->threshold = kThreshold;
  auto tracer = LoopTracer::Load(*plan);
  if (!tracer) throw std::runtime_error(tracer.error().message);
  if (!(*tracer)->Select({getpid()})) throw std::runtime_error("select");
  return std::move(*tracer);
}

// What the tracer says of a thread that does `work` and nothing else, before that has ended.
struct Followed {
  std::vector<Iteration> slow;
  LoopCount count;
};

Followed Follow(LoopTracer& tracer, const std::function<void()>& work) {
  std::atomic<pid_t> tid{0};
  std::atomic<bool> done{false};
  std::atomic<bool> seen{false};
  std::thread thread([&] {
    tid = gettid();
    work();
    done = true;
    while (!seen) SleepFor(Milliseconds(1));
  });
  while (!done) SleepFor(Milliseconds(1));
  Followed followed;
  const auto ended = tracer.Take();
  const auto counts = tracer.Threads();
  seen = true;
  thread.join();
  if (!ended || !counts) throw std::runtime_error("reading what was followed");
  for (const Iteration& iteration : *ended) {
    if (iteration.tid == tid) followed.slow.push_back(iteration);
  }
  for (const LoopCount& count : *counts) {
    if (count.tid == tid) followed.count = count;
  }
  return followed;
}

// Each kernel has all but the newest of them.
struct Selector {
  const char* name;
  std::function<long(int epoll)> call;  // comes back at once
};

const std::vector<Selector>& Selectors() {
  static epoll_event event;
  static timespec at_once{};
  static const std::vector<Selector> all = {
      {"epoll_wait", [](int epoll) { return syscall(SYS_epoll_wait, epoll, &event, 1, 0); }},
      {"epoll_pwait",
       [](int epoll) { return syscall(SYS_epoll_pwait, epoll, &event, 1, 0, nullptr, 8); }},
      {"epoll_pwait2",
       [](int epoll) {
         constexpr long kEpollPwait2 = 441;  // newer than the headers of some distributions
         return syscall(kEpollPwait2, epoll, &event, 1, &at_once, nullptr, 8);
       }},
      {"poll", [](int) { return syscall(SYS_poll, nullptr, 0, 0); }},
      {"ppoll", [](int) { return syscall(SYS_ppoll, nullptr, 0, &at_once, nullptr, 8); }},
      {"select",
       [](int) {
         timeval none{};
         return syscall(SYS_select, 0, nullptr, nullptr, nullptr, &none);
       }},
      {"pselect6",
       [](int) { return syscall(SYS_pselect6, 0, nullptr, nullptr, nullptr, &at_once, nullptr); }},
  };
  return all;
}

class Loops : public ::testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<LoopTracer> tracer_ = Trace(
      *GetParam() == '\0' ? std::vector<std::string>{} : std::vector<std::string>{GetParam()});
  UniqueFd epoll_{epoll_create1(EPOLL_CLOEXEC)};
};

TEST_P(Loops, EverySelectorEndsAnIteration) {
  for (const Selector& selector : Selectors()) {
    SCOPED_TRACE(selector.name);
    bool known = true;
    const Followed followed = Follow(*tracer_, [&] {
      for (int round = 0; round < 6; ++round) {
        known = selector.call(epoll_.get()) != -1 || errno != ENOSYS;
        if (round % 2 == 1) SleepFor(Milliseconds(150));
      }
      selector.call(epoll_.get());
    });
    if (!known) continue;
    EXPECT_EQ(followed.count.iterations, 6U);
    EXPECT_EQ(followed.count.slow, 3U);
    EXPECT_EQ(followed.count.starved, 0U);
    EXPECT_GE(followed.count.slow_total, 3 * kSlow);
    ASSERT_EQ(followed.slow.size(), 3U);
    for (const Iteration& iteration : followed.slow) {
      EXPECT_EQ(iteration.pid, getpid());
      EXPECT_GE(iteration.end - iteration.begin, kSlow);
      EXPECT_LT(iteration.cpu, kSlow / 2) << "it slept";
    }
  }
}

void PollWhile(int depth) {
  std::array<volatile char, 4096> deeper{};
  deeper[0] = static_cast<char>(depth);
  SleepFor(Milliseconds(80));
  poll(nullptr, 0, 1);
  SleepFor(Milliseconds(80));
  deeper[1] = deeper[0];
}

// A callback that runs a program waits for it with a selector of its own.
TEST_P(Loops, ACallbacksOwnSelectorEndsNoIteration) {
  epoll_event event{};
  const Followed followed = Follow(*tracer_, [&] {
    epoll_wait(epoll_.get(), &event, 1, 0);
    PollWhile(1);
    epoll_wait(epoll_.get(), &event, 1, 0);
  });
  EXPECT_EQ(followed.count.iterations, 1U);
  ASSERT_EQ(followed.slow.size(), 1U);
  EXPECT_GE(followed.slow[0].end - followed.slow[0].begin, 160 * kMillisecond);
}

DurationNs CpuOfThread() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * kSecond + time.tv_nsec;
}

void Compute(DurationNs duration) {
  const DurationNs end = CpuOfThread() + duration;
  while (CpuOfThread() < end) {
  }
}

// Several threads that compute share its CPU, and each counts for more than it does.
TEST_P(Loops, TimeWithoutACpuCountsForNone) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  std::atomic<bool> stop{false};
  std::vector<std::thread> hogs;
  hogs.reserve(2);
  for (int i = 0; i < 2; ++i) {
    hogs.emplace_back([&] {
      sched_setaffinity(0, sizeof(one), &one);
      while (!stop) {
      }
    });
  }
  epoll_event event{};
  const Followed followed = Follow(*tracer_, [&] {
    sched_setaffinity(0, sizeof(one), &one);
    setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 10);  // a tenth of a hog's weight
    epoll_wait(epoll_.get(), &event, 1, 0);
    for (int round = 0; round < 4; ++round) {
      // As much of the CPU as is short; the last is a block, however long it has to wait besides.
      Compute(round < 3 ? 30 * kMillisecond : kSlow);
      epoll_wait(epoll_.get(), &event, 1, 0);
    }
  });
  stop = true;
  for (std::thread& hog : hogs) hog.join();
  EXPECT_EQ(followed.count.iterations, 4U);
  EXPECT_GE(followed.count.starved, 1U);
  EXPECT_GE(followed.count.starved_total, kThreshold);
  EXPECT_EQ(followed.count.slow, 1U);
  ASSERT_EQ(followed.slow.size(), 1U);
  const Iteration& block = followed.slow[0];
  EXPECT_GE(block.cpu, kThreshold);
  EXPECT_GE(block.queued, kSlow);
  EXPECT_GE(block.end - block.begin - block.queued, kThreshold);
}

INSTANTIATE_TEST_SUITE_P(EachWay, Loops, ::testing::Values("", "fentry"), [](const auto& way) {
  return std::string(*way.param == '\0' ? "AsItCan" : "ByTracepoints");
});

}  // namespace
}  // namespace ct::test
