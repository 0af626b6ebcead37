// When a cheap sweep says that another look is worth its cost.
#include <gtest/gtest.h>

#include "tests/unit/observe/fakes.h"

namespace ct {
namespace {

using testing::Condition;
using testing::Host;
using testing::kEnd;
using testing::Mutex;

// 101 waits for a lock, 102 is its idle holder, 103 waits for work.
class Watch : public ::testing::Test {
 protected:
  Watch() {
    for (const pid_t tid : {100, 101, 102, 103}) host.now().Thread(tid);
    host.Waits(101, Mutex(0x1000, 102));
    host.Waits(103, Condition(0x2000));
    SleptFor(101, 100 * kMillisecond);
    host.Look();
    SweepIsSteady(kEnd + 10 * kMillisecond);
  }

  void SleptFor(pid_t tid, DurationNs duration) {
    for (TaskSample* task : {&host.now().First(tid), &host.now().Second(tid)}) {
      task->off_cpu_since = kEnd - duration;
    }
  }

  // Everybody sleeps on, as the last look saw them.
  void SweepIsSteady(TimeNs end) {
    host.sweeper.steady = {};
    host.sweeper.steady.end = end;
    for (const TaskSample& task : host.now().Look().second.tasks) {
      host.sweeper.steady.still.push_back({task.id.tid, task.switches, task.off_cpu_since});
    }
  }

  // The sweep reports one of them anew, `switches` later.
  TaskSample& Reports(pid_t tid, std::uint64_t switches) {
    Sweep& sweep = host.sweeper.steady;
    std::erase_if(sweep.still, [&](const StillSample& still) { return still.tid == tid; });
    sweep.tasks.push_back(host.now().Second(tid));
    sweep.tasks.back().switches += switches;
    return sweep.tasks.back();
  }

  bool Changed() { return host.observer.Watch(kMillisecond).value(); }

  Host host;
};

TEST_F(Watch, SeesNothingWhileAllSleepOn) { EXPECT_FALSE(Changed()); }

TEST_F(Watch, SeesNothingInAWaiterThatIsReportedAgain) {
  Reports(101, 0);
  EXPECT_FALSE(Changed());
}

TEST_F(Watch, SeesAWaiterThatWasWoken) {
  Reports(101, 2);
  EXPECT_TRUE(Changed());
}

TEST_F(Watch, SeesAWaiterThatIsGone) {
  std::erase_if(host.sweeper.steady.still,
                [](const StillSample& still) { return still.tid == 101; });
  EXPECT_TRUE(Changed());
}

TEST_F(Watch, SeesAWaiterThatMovedWhileItWasStillKnown) {
  for (StillSample& still : host.sweeper.steady.still) {
    if (still.tid == 101) still.switches += 2;
  }
  EXPECT_TRUE(Changed());
}

TEST_F(Watch, SeesAnotherThreadUnderAWaitersTid) {
  Reports(101, 0).id.start_time += kSecond;
  EXPECT_TRUE(Changed());
}

TEST_F(Watch, SeesANewLockWaiter) {
  TaskSample& task = Reports(102, 2);
  task.syscall = host.now().Second(101).syscall;
  task.arguments = host.now().Second(101).arguments;
  EXPECT_TRUE(Changed());
}

TEST_F(Watch, SeesNothingInASleepOutsideOfLocks) {
  Reports(102, 2);
  EXPECT_FALSE(Changed());
}

TEST_F(Watch, SeesNothingInAnIdleThreadThatWasNotLookedAtAgain) {
  Reports(103, 0);
  EXPECT_FALSE(Changed());
}

TEST_F(Watch, SeesNothingInAnotherSleepAtAnIdlePlace) {
  Reports(103, 2);
  EXPECT_FALSE(Changed());
}

TEST_F(Watch, SeesAWaitAtAnotherPlaceOfAnIdleThread) {
  Reports(103, 2).registers.dwarf[16] += 0x100;
  EXPECT_TRUE(Changed());
}

TEST_F(Watch, SeesAnIdlePlaceOfAnotherProcess) {
  Reports(103, 2).space += 0x1000;
  EXPECT_TRUE(Changed());
}

TEST_F(Watch, SeesAWaitThatHasBecomeLong) {
  SweepIsSteady(kEnd + 900 * kMillisecond - 1);
  EXPECT_FALSE(Changed());
  SweepIsSteady(kEnd + 900 * kMillisecond);
  EXPECT_TRUE(Changed());
}

TEST_F(Watch, SeesALongWaitBecomeLongOnlyOnce) {
  SleptFor(101, 2 * kSecond);
  host.Look();
  SweepIsSteady(kEnd + 3 * kSecond);
  EXPECT_FALSE(Changed());
}

TEST_F(Watch, LooksAgainNowAndThenWhileSomebodyWaits) {
  SleptFor(101, 2 * kSecond);
  host.Look();
  SweepIsSteady(kEnd + 5 * kSecond);
  EXPECT_TRUE(Changed());
}

TEST(WatchIdleHost, NeverLooksAgain) {
  Host host;
  host.now().Thread(103);
  host.Waits(103, Condition(0x2000));
  host.Look();
  host.sweeper.steady.end = kEnd + 100 * kSecond;
  host.sweeper.steady.still = {{103, 50, kEnd - 10 * kSecond}};
  EXPECT_FALSE(host.observer.Watch(kMillisecond).value());
}

TEST(WatchWithAFilter, SeesOnlyWhatItSelects) {
  ObserverOptions options;
  options.filter.comm = "t100";
  Host host(options);
  host.now().Thread(100);
  host.now().Thread(201, 200);
  host.Look();
  host.sweeper.steady.end = kEnd + kMillisecond;
  host.Waits(201, Mutex(0x1000, 0));
  host.sweeper.steady.tasks = {host.now().Second(201)};
  EXPECT_FALSE(host.observer.Watch(kMillisecond).value());
  host.Waits(100, Mutex(0x1000, 0));
  host.sweeper.steady.tasks = {host.now().Second(100)};
  EXPECT_TRUE(host.observer.Watch(kMillisecond).value());
}

TEST(WatchWithAFilter, SeesThatItsProcessHasEnded) {
  ObserverOptions options;
  options.filter.pids = {1 << 22};
  Host host(options);
  const auto changed = host.observer.Watch(kMillisecond);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace ct
