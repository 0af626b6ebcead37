// What a process does, in one word.
#include <gtest/gtest.h>

#include "tests/unit/observe/raw_look.h"

namespace ct {
namespace {

using testing::LookBuilder;
using testing::Mutex;

// "busy: 1 of 2 on CPU or ready, 1 wait for a lock, 50 %" of the one process.
std::string VerdictOf(const LookBuilder& look) {
  const Observation observation = look.Build({.all_threads = true, .kernel_symbol = {}});
  const Process& process = observation.processes.at(0);
  const char* word = process.verdict == Verdict::kIdle       ? "idle"
                     : process.verdict == Verdict::kBlocked  ? "blocked"
                     : process.verdict == Verdict::kBusy     ? "busy"
                     : process.verdict == Verdict::kSpinning ? "spinning"
                                                             : "?";
  return std::string(word) + ": " + process.verdict_detail + ", " +
         std::to_string(static_cast<int>(process.cpu_percent)) + " %";
}

// A look takes 4 ms.
void BurnsCpu(LookBuilder& look, pid_t tid, DurationNs cpu) {
  look.Second(tid).cpu_time = look.First(tid).cpu_time + cpu;
}

TEST(Verdict, IsIdleWhenAllSleep) {
  LookBuilder look;
  for (const pid_t tid : {101, 102, 103}) look.Thread(tid);
  look.Waits(101, testing::Condition(0x1000));
  EXPECT_EQ(VerdictOf(look), "idle: 3 threads asleep, mostly in epoll_wait, 0 %");
}

TEST(Verdict, IsBlockedWhenSomebodyWaitsForALockAndNobodyRuns) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(102);
  look.Waits(101, Mutex(0x1000, 102));
  EXPECT_EQ(VerdictOf(look), "blocked: 1 of 2 threads wait for a lock, 0 %");
}

TEST(Verdict, IsBusyWhenSomebodyRuns) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(102);
  look.Waits(101, Mutex(0x1000, 102));
  look.RunsAtSecond(102);
  BurnsCpu(look, 102, 2 * kMillisecond);
  EXPECT_EQ(VerdictOf(look), "busy: 1 of 2 on CPU or ready, 1 wait for a lock, 50 %");
}

TEST(Verdict, IsSpinningWhenWhoRunsHasRunAllAlong) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(102);
  look.Runs(101);
  BurnsCpu(look, 101, 4 * kMillisecond);
  EXPECT_EQ(VerdictOf(look),
            "spinning: 1 thread on CPU all along, in no system call at either look, 100 %");
}

TEST(Verdict, IsNotSpinningInASystemCall) {
  LookBuilder look;
  look.Thread(101);
  look.Runs(101);
  look.Second(101).state = RunState::kRunnable;
  look.Second(101).syscall = 0;
  BurnsCpu(look, 101, 4 * kMillisecond);
  EXPECT_EQ(VerdictOf(look), "busy: 1 of 1 on CPU or ready, 100 %");
}

TEST(Verdict, DoesNotCountTheCpuTimeOfAThreadThatHadTheTidBefore) {
  LookBuilder look;
  look.Thread(101);
  look.First(101).id.start_time -= kSecond;
  look.First(101).cpu_time = kSecond;
  EXPECT_EQ(VerdictOf(look), "idle: 1 thread asleep, mostly in epoll_wait, 0 %");
}

TEST(Verdict, CountsNobodyWhoHasEnded) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(102);
  look.Second(102).state = RunState::kExited;
  EXPECT_EQ(VerdictOf(look), "idle: 1 thread asleep, mostly in epoll_wait, 0 %");
}

}  // namespace
}  // namespace ct
