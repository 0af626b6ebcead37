// Two programs make the steady sweep, by what the kernel has: both must give the same answers.
#include "kernel/sweep.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <ostream>
#include <set>

#include <gtest/gtest.h>

#include "kernel/features.h"
#include "tests/integration/harness.h"

namespace ct {

// All but off_cpu_since: how the scheduler's clock stands to CLOCK_MONOTONIC is each one's
// estimate.
bool operator==(const TaskSample& a, const TaskSample& b) {
  const auto facts = [](const TaskSample& task) {
    return std::tie(task.id, task.leader, task.ns_tid, task.ns_tgid, task.pid_ns, task.parent_pid,
                    task.space, task.space_users, task.group_threads, task.state, task.asleep,
                    task.compat, task.switches, task.cpu_time, task.has_registers, task.syscall,
                    task.arguments, task.registers.dwarf, task.registers.thread_pointer, task.comm,
                    task.leader_comm, task.kernel_stack);
  };
  return facts(a) == facts(b);
}
std::ostream& operator<<(std::ostream& out, const TaskSample& task) {
  return out << task.comm << ' ' << task.id.tid << " in system call " << task.syscall;
}
bool operator==(const StillSample& a, const StillSample& b) {
  return a.tid == b.tid && a.switches == b.switches;
}
std::ostream& operator<<(std::ostream& out, const StillSample& still) {
  return out << still.tid << " after " << still.switches << " switches";
}

namespace {

using test::Milliseconds;
using test::SleepFor;
using test::Target;

constexpr DurationNs kSettle = 20 * kMillisecond;
// Asleep for longer than kSettle and all that is uncertain about the clocks.
constexpr Milliseconds kSettled{100};
// An estimate of the clocks' offset is late by as much as the tracer was woken late.
constexpr DurationNs kClockError = 50 * kMillisecond;

SweepPlan Plan() { return PlanSweep(ProbeFeatures({}).value(), true).value(); }
SweepPlan PlanWithoutWalk() {
  return PlanSweep(ProbeFeatures({"task_walk"}).value(), true).value();
}
SweepPlan PlanWithoutHelper() {
  return PlanSweep(ProbeFeatures({"task_pt_regs"}).value(), true).value();
}

// False before Linux 6.7, where a trace's sweeps are the iterator's. That a kernel which can is
// found to be one, tests/vm asserts.
bool CanWalk() { return ProbeFeatures({}).value().task_walk; }

// What a sweep says of one process, by tid.
struct Seen {
  std::map<pid_t, TaskSample> tasks;
  std::map<pid_t, StillSample> still;
};

Seen Of(pid_t pid, const Sweep& sweep) {
  std::set<pid_t> tids;
  for (const test::ThreadState& thread : test::ThreadsOf(pid)) tids.insert(thread.tid);
  Seen seen;
  for (const TaskSample& task : sweep.tasks) {
    if (tids.contains(task.id.tid)) seen.tasks.emplace(task.id.tid, task);
  }
  for (const StillSample& still : sweep.still) {
    if (tids.contains(still.tid)) seen.still.emplace(still.tid, still);
  }
  return seen;
}

// A trace's sweeps, after the first, which reports everybody in full.
class Steady {
 public:
  explicit Steady(const SweepPlan& plan, DurationNs settle = kSettle)
      : sweeper_(Sweeper::Load(plan).value()), settle_(settle) {
    Now();
  }

  Sweep Now(const std::vector<WantedThread>& wanted = {}) {
    return sweeper_->Steady(settle_, wanted).value();
  }
  [[nodiscard]] test::Strings degradations() const { return sweeper_->degradations(); }

 private:
  std::unique_ptr<Sweeper> sweeper_;
  DurationNs settle_;
};

const test::Strings kIdleThreads = {"condition", "semaphore", "barrier", "future",
                                    "latch",     "atomic",    "tokens",  "join"};

TEST(SteadySweep, WalksWhereTheKernelLetsIt) {
  Steady steady(Plan());
  EXPECT_EQ(steady.degradations(), test::Strings{});
  const TimeNs before = MonotonicNow();
  const Sweep sweep = steady.Now();
  EXPECT_EQ(sweep.walked, CanWalk());
  EXPECT_GE(sweep.visited, sweep.tasks.size() + sweep.still.size());
  EXPECT_LE(before, sweep.begin);
  EXPECT_LE(sweep.begin, sweep.end);
  EXPECT_LE(sweep.end, MonotonicNow());
  EXPECT_FALSE(Steady(PlanWithoutWalk()).Now().walked);
}

TEST(SteadySweep, SaysTheSameOfANewSleepByWhateverMeans) {
  Steady walk(Plan());
  Steady walk_without_helper(PlanWithoutHelper());
  Steady iterator(PlanWithoutWalk());
  const Target target("idle");
  target.AwaitAsleep(kIdleThreads);
  SleepFor(kSettled);

  const Sweep walked = walk.Now();
  const Sweep walked_without_helper = walk_without_helper.Now();
  const Sweep iterated = iterator.Now();
  ASSERT_EQ(walked.walked, CanWalk());
  ASSERT_EQ(walked_without_helper.walked, CanWalk());
  ASSERT_FALSE(iterated.walked);
  const Seen expected = Of(target.pid(), iterated);
  EXPECT_EQ(expected.tasks.size(), kIdleThreads.size() + 1);
  EXPECT_EQ(expected.still.size(), 0U);
  for (const auto& [tid, task] : expected.tasks) EXPECT_TRUE(task.has_registers) << task;
  for (const Sweep* sweep : {&walked, &walked_without_helper}) {
    const Seen seen = Of(target.pid(), *sweep);
    EXPECT_EQ(seen.tasks, expected.tasks);
    EXPECT_EQ(seen.still, expected.still);
    for (const auto& [tid, task] : seen.tasks) {
      EXPECT_NEAR(task.off_cpu_since, expected.tasks.at(tid).off_cpu_since, kClockError) << task;
    }
  }
}

TEST(SteadySweep, SaysOnlyThatAKnownSleepGoesOn) {
  const Target target("abba");
  target.AwaitAsleep({"audit", "io"});
  SleepFor(kSettled);
  Steady walk(Plan());
  Steady iterator(PlanWithoutWalk());

  const Sweep walked = walk.Now();
  const Sweep iterated = iterator.Now();
  ASSERT_EQ(walked.walked, CanWalk());
  ASSERT_FALSE(iterated.walked);
  const Seen seen = Of(target.pid(), walked);
  const Seen expected = Of(target.pid(), iterated);
  EXPECT_EQ(seen.tasks.size(), 0U);
  EXPECT_EQ(expected.tasks.size(), 0U);
  EXPECT_EQ(expected.still.size(), 3U);
  EXPECT_EQ(seen.still, expected.still);
  for (const auto& [tid, switches] : test::SwitchesOf(target.pid())) {
    EXPECT_EQ(seen.still.at(tid).switches, switches);
    EXPECT_NEAR(seen.still.at(tid).off_cpu_since, expected.still.at(tid).off_cpu_since,
                kClockError);
  }
}

TEST(SteadySweep, LeavesOutWhoHasJustRun) {
  Steady walk(Plan(), 10 * kSecond);
  Steady iterator(PlanWithoutWalk(), 10 * kSecond);
  const Target target("ping_pong");
  while (std::ranges::any_of(test::SwitchesOf(target.pid()),
                             [](const auto& thread) { return thread.second == 0; })) {
    SleepFor(Milliseconds(1));
  }
  for (Steady* steady : {&walk, &iterator}) {
    const Seen seen = Of(target.pid(), steady->Now());
    EXPECT_EQ(seen.tasks.size(), 0U);
    EXPECT_EQ(seen.still.size(), 0U);
  }
}

TEST(SteadySweep, ReportsAWantedThreadInWhateverState) {
  const Target target("abba");
  target.AwaitAsleep({"audit", "io"});
  SleepFor(kSettled);
  const pid_t wanted = target.ThreadOf("io");
  Steady steady(Plan());
  const Seen seen = Of(target.pid(), steady.Now({{wanted, true}}));
  ASSERT_TRUE(seen.tasks.contains(wanted));
  EXPECT_FALSE(seen.tasks.at(wanted).kernel_stack.empty());
  EXPECT_EQ(seen.tasks.size() + seen.still.size(), 3U);
}

TEST(SteadySweep, IsTheIteratorsWhereTheWalkHasNoRoom) {
  SweepPlan few_still = Plan();
  few_still.walk_still = kIdleThreads.size();  // main is one more
  SweepPlan few_tasks = Plan();
  few_tasks.walk_tasks = kIdleThreads.size();
  Steady without_room_for_tasks(few_tasks);
  const Target target("idle");
  target.AwaitAsleep(kIdleThreads);
  SleepFor(kSettled);

  const Sweep news = without_room_for_tasks.Now();
  EXPECT_FALSE(news.walked);
  EXPECT_EQ(Of(target.pid(), news).tasks.size(), kIdleThreads.size() + 1);

  const Sweep still = Steady(few_still).Now();
  EXPECT_FALSE(still.walked);
  EXPECT_EQ(Of(target.pid(), still).still.size(), kIdleThreads.size() + 1);
}

TEST(SteadySweep, WalksAgainSomeTimeAfterItHadNoRoom) {
  SweepPlan plan = Plan();
  plan.walk_tasks = kIdleThreads.size();
  Steady steady(plan);
  const Target target("idle");
  target.AwaitAsleep(kIdleThreads);
  SleepFor(kSettled);
  EXPECT_FALSE(steady.Now().walked);
  bool walked = false;
  for (int i = 0; i < 100 && !walked; ++i) walked = steady.Now().walked;
  EXPECT_EQ(walked, CanWalk());
}

}  // namespace
}  // namespace ct
