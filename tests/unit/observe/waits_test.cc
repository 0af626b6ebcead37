// Which of the waits that were read still hold at the second sweep, and since when.
#include <cstdint>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include "tests/unit/observe/raw_look.h"

namespace ct {
namespace {

using testing::Condition;
using testing::Edges;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Join;
using testing::kEnd;
using testing::LookBuilder;
using testing::Mutex;

LookBuilder OneWaiter(const LocatedWait& wait) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(102);
  look.Waits(101, wait);
  return look;
}

TEST(Waits, OfThreadsThatSleptThroughAreStill) {
  LookBuilder look = OneWaiter(Mutex(0x1000, 103));
  look.Waits(102, Mutex(0x1000, 103));
  look.Thread(103);
  EXPECT_THAT(Edges(look.Build()), ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                                               "102 waits for mutex 1:0x1000 (still, certain)",
                                               "103 holds mutex 1:0x1000 (certain)"));
}

TEST(Waits, OfAThreadThatWokeAndIsInTheSameCallAreContinued) {
  LookBuilder look = OneWaiter(Mutex(0x1000, 102));
  look.Moves(101);
  EXPECT_THAT(Edges(look.Build()), ElementsAre("101 waits for mutex 1:0x1000 (continued, certain)",
                                               "102 holds mutex 1:0x1000 (certain)"));
}

// Woken by a signal, say, on a busy CPU: it has not run since.
LookBuilder OneWokenWaiter() {
  LookBuilder look = OneWaiter(Mutex(0x1000, 102));
  for (TaskSample* sample : {&look.First(101), &look.Second(101)}) {
    sample->asleep = false;
    sample->state = RunState::kRunnable;
  }
  return look;
}

TEST(Waits, OfAThreadThatWasWokenAndHasNotRunAreTheSameWait) {
  LookBuilder look = OneWokenWaiter();
  EXPECT_THAT(Edges(look.Build()),
              ElementsAre("101 waits for mutex 1:0x1000 (did not run, certain)",
                          "102 holds mutex 1:0x1000 (certain)"));
}

// The kernel gives a PI lock to whom it wakes, and a timeout wakes who then gives up.
TEST(Waits, OfAWokenThreadThatMayHaveGotTheLockOrGivesUpAreOver) {
  LookBuilder handed = OneWokenWaiter();
  for (TaskSample* sample : {&handed.First(101), &handed.Second(101)}) {
    sample->arguments[1] = FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG;
  }
  EXPECT_THAT(Edges(handed.Build()), IsEmpty());
  LookBuilder timed = OneWokenWaiter();
  for (TaskSample* sample : {&timed.First(101), &timed.Second(101)}) sample->arguments[3] = 0x7000;
  EXPECT_THAT(Edges(timed.Build()), IsEmpty());
}

TEST(Waits, OfAThreadThatWokeAndWaitsForSomethingElseAreOver) {
  LookBuilder look = OneWaiter(Mutex(0x1000, 102));
  look.Moves(101);
  look.Second(101).arguments[0] = 0x2000;
  EXPECT_THAT(Edges(look.Build()), IsEmpty());
}

TEST(Waits, OfAThreadThatWokeAndWaitsInAnotherWayAreOver) {
  LookBuilder look = OneWaiter(Mutex(0x1000, 102));
  look.Moves(101);
  look.Second(101).arguments[1] = FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG;
  EXPECT_THAT(Edges(look.Build()), IsEmpty());
}

TEST(Waits, OfAThreadThatRunsAreOver) {
  LookBuilder look = OneWaiter(Mutex(0x1000, 102));
  look.RunsAtSecond(101);
  EXPECT_THAT(Edges(look.Build()), IsEmpty());
}

TEST(Waits, OfAnotherThreadWithTheSameTidAreOver) {
  LookBuilder look = OneWaiter(Mutex(0x1000, 102));
  look.Second(101).id.start_time += kSecond;
  EXPECT_THAT(Edges(look.Build()), IsEmpty());
}

TEST(Waits, OfAThreadThatTheFirstSweepDidNotSeeAreNotBelieved) {
  LookBuilder look = OneWaiter(Mutex(0x1000, 102));
  look.IsBorn(101);
  EXPECT_THAT(Edges(look.Build()), IsEmpty());
}

TEST(Waits, ForAnEventAreNeverContinued) {
  LookBuilder look = OneWaiter(Condition(0x1000));
  const BuildOptions all{.all_threads = true, .kernel_symbol = {}};
  EXPECT_THAT(Edges(look.Build(all)),
              ElementsAre("101 waits for condition variable 1:0x1000 (still, certain)",
                          "holders of condition variable 1:0x1000 unknown"));
  look.Moves(101);
  EXPECT_THAT(Edges(look.Build(all)), IsEmpty());
}

TEST(Waits, AreContinuedWhenTheCallWasRestarted) {
  LookBuilder look = OneWaiter(Mutex(0x1000, 102));
  look.Moves(101);
  look.Second(101).syscall = SYS_restart_syscall;
  EXPECT_THAT(Edges(look.Build()), ElementsAre("101 waits for mutex 1:0x1000 (continued, certain)",
                                               "102 holds mutex 1:0x1000 (certain)"));
}

TEST(Waits, TellWhatTheReadingTells) {
  LocatedWait mutex = Mutex(0x1000, 102);
  mutex.symbol = "g_ledger_mu";
  mutex.where = ".bss of ledger";
  mutex.reading.type = "pthread_mutex_t (recursive)";
  mutex.reading.capacity = 1;
  mutex.reading.evidence_note = "owner word, frames in pthread_mutex_lock";
  const Observation observation = OneWaiter(mutex).Build();

  Resource resource;
  resource.kind = ResourceKind::kMutex;
  resource.implementation = Implementation::kGlibc;
  resource.id = {.shared = false, .space = 1, .address = 0x1000};
  resource.type = "pthread_mutex_t (recursive)";
  resource.symbol = "g_ledger_mu";
  resource.where = ".bss of ledger";
  resource.holders_known = true;
  resource.capacity = 1;
  EXPECT_THAT(observation.resources, ElementsAre(resource));

  Wait wait;
  wait.actor = 0;
  wait.resource = 0;
  wait.purpose = WaitPurpose::kAcquire;
  wait.evidence = Evidence::kCertain;
  wait.evidence_note = "owner word, frames in pthread_mutex_lock";
  wait.continuity = Continuity::kStill;
  wait.since = kEnd - 10 * kSecond;
  wait.private_futex = true;
  EXPECT_THAT(observation.waits, ElementsAre(wait));

  Hold hold;
  hold.actor = 1;
  hold.resource = 0;
  hold.evidence = Evidence::kCertain;
  hold.evidence_note = "owner word, frames in pthread_mutex_lock";
  EXPECT_THAT(observation.holds, ElementsAre(hold));
}

TEST(Waits, DescribeTheirLockByTheBestKnownReading) {
  LocatedWait unsure = Mutex(0x1000, 103);
  unsure.reading.evidence = Evidence::kProbable;
  unsure.reading.type = "looks like a mutex";
  LocatedWait sure = Mutex(0x1000, 103);
  sure.reading.type = "std::mutex";
  LookBuilder look = OneWaiter(unsure);
  look.Waits(102, sure);
  look.Thread(103);
  const Observation observation = look.Build();
  ASSERT_EQ(observation.resources.size(), 1U);
  EXPECT_EQ(observation.resources[0].type, "std::mutex");
  EXPECT_THAT(Edges(observation), ElementsAre("101 waits for mutex 1:0x1000 (still, probable)",
                                              "102 waits for mutex 1:0x1000 (still, certain)",
                                              "103 holds mutex 1:0x1000 (certain)"));
}

// --- timeouts -----------------------------------------------------------------------------------

std::optional<TimeNs> DeadlineOf(LocatedWait wait, std::int64_t timeout, bool absolute,
                                 bool realtime, DurationNs realtime_offset) {
  wait.reading.timed = true;
  wait.reading.timeout_ns = timeout;
  wait.reading.timeout_is_absolute = absolute;
  wait.reading.timeout_is_realtime = realtime;
  History history;
  const Observation observation =
      BuildObservation(OneWaiter(wait).Look(), {}, realtime_offset, history);
  EXPECT_EQ(observation.waits.size(), 1U);
  EXPECT_TRUE(observation.waits.at(0).timed);
  return observation.waits.at(0).deadline;
}

TEST(Deadline, OfARelativeTimeoutCountsFromTheStartOfTheSleep) {
  EXPECT_EQ(DeadlineOf(Mutex(0x1000, 102), 15 * kSecond, false, false, 0), kEnd + 5 * kSecond);
}

TEST(Deadline, OfAnAbsoluteTimeoutIsTheTimeout) {
  EXPECT_EQ(DeadlineOf(Mutex(0x1000, 102), kEnd + 3 * kSecond, true, false, kSecond),
            kEnd + 3 * kSecond);
}

TEST(Deadline, OnTheRealTimeClockIsMoved) {
  const DurationNs offset = 1'700'000'000 * kSecond;
  EXPECT_EQ(DeadlineOf(Mutex(0x1000, 102), kEnd + offset + 3 * kSecond, true, true, offset),
            kEnd + 3 * kSecond);
}

TEST(Deadline, BeyondTheEndOfTimeIsNone) {
  constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(DeadlineOf(Mutex(0x1000, 102), kForever, false, false, 0), std::nullopt);
  EXPECT_EQ(DeadlineOf(Mutex(0x1000, 102), kForever, true, true, -kSecond), std::nullopt);
}

TEST(Deadline, OfATimeoutThatCouldNotBeReadIsUnknown) {
  LocatedWait wait = Mutex(0x1000, 102);
  wait.reading.timed = true;
  const Observation observation = OneWaiter(wait).Build();
  ASSERT_EQ(observation.waits.size(), 1U);
  EXPECT_TRUE(observation.waits[0].timed);
  EXPECT_EQ(observation.waits[0].deadline, std::nullopt);
}

TEST(Deadline, OfASleepingHolderIsItsOwn) {
  LookBuilder look = OneWaiter(Mutex(0x1000, 102));
  look.Reading(102).read.syscall_timeout = 12 * kSecond;
  look.Reading(102).read.syscall_object = "epoll 3";
  const Observation observation = look.Build();
  const Syscall expected{SYS_epoll_wait, "epoll_wait", "epoll 3", kEnd + 2 * kSecond};
  EXPECT_EQ(testing::ActorOf(observation, 102).syscall, expected);
}

TEST(Deadline, OfASleepBeyondTheEndOfTimeIsNone) {
  LookBuilder look = OneWaiter(Mutex(0x1000, 102));
  look.Reading(102).read.syscall_timeout = std::numeric_limits<std::int64_t>::max();
  const Observation observation = look.Build();
  EXPECT_EQ(testing::ActorOf(observation, 102).syscall.deadline, std::nullopt);
}

// --- the age of a wait over several looks -------------------------------------------------------

// The age of 101's wait in a second look, one second after the first.
DurationNs AgeInSecondLook(const LookBuilder& first, const LookBuilder& second) {
  History history;
  (void)first.Build(history);
  const Observation observation = second.Build(history);
  for (const Wait& wait : observation.waits) {
    if (observation.actors[static_cast<std::size_t>(wait.actor)].id.tid == 101) {
      return kEnd - wait.since;
    }
  }
  return -1;
}

// 101 was woken between the looks, for a moment.
LookBuilder WokenAMomentAgo(LookBuilder look) {
  for (TaskSample* task : {&look.First(101), &look.Second(101)}) {
    task->switches += 3;
    task->off_cpu_since = kEnd - 50 * kMillisecond;
  }
  return look;
}

TEST(WaitAge, IsKeptForAWaiterThatWasWokenWhileTheHolderSlept) {
  const LookBuilder look = OneWaiter(Mutex(0x1000, 102));
  EXPECT_EQ(AgeInSecondLook(look, WokenAMomentAgo(look)), 10 * kSecond);
}

TEST(WaitAge, IsKeptForAWaiterThatHasNotRunWhateverTheKernelSays) {
  const LookBuilder look = OneWaiter(Mutex(0x1000, 0));
  LookBuilder later = look;
  later.First(101).off_cpu_since = later.Second(101).off_cpu_since = kEnd - kSecond;
  EXPECT_EQ(AgeInSecondLook(look, later), 10 * kSecond);
}

TEST(WaitAge, BeginsAnewIfTheHolderRan) {
  const LookBuilder look = OneWaiter(Mutex(0x1000, 102));
  LookBuilder later = WokenAMomentAgo(look);
  later.First(102).switches += 9;
  later.Second(102).switches += 9;
  EXPECT_EQ(AgeInSecondLook(look, later), 50 * kMillisecond);
}

TEST(WaitAge, BeginsAnewIfAnotherHoldsIt) {
  LookBuilder look = OneWaiter(Mutex(0x1000, 102));
  look.Thread(103);
  LookBuilder later = WokenAMomentAgo(look);
  later.Waits(101, Mutex(0x1000, 103));
  EXPECT_EQ(AgeInSecondLook(look, later), 50 * kMillisecond);
}

TEST(WaitAge, BeginsAnewIfNobodyKnowsWhoHeldIt) {
  const LookBuilder look = OneWaiter(Mutex(0x1000, 0));
  EXPECT_EQ(AgeInSecondLook(look, WokenAMomentAgo(look)), 50 * kMillisecond);
}

// To try again after a timeout is to wait anew.
TEST(WaitAge, BeginsAnewAtEachTryWithATimeout) {
  LocatedWait timed = Mutex(0x1000, 102);
  timed.reading.timed = true;
  const LookBuilder look = OneWaiter(timed);
  EXPECT_EQ(AgeInSecondLook(look, WokenAMomentAgo(look)), 50 * kMillisecond);
}

TEST(WaitAge, BeginsAnewForAnotherLock) {
  const LookBuilder look = OneWaiter(Mutex(0x1000, 102));
  LookBuilder later = WokenAMomentAgo(look);
  later.Waits(101, Mutex(0x2000, 102));
  EXPECT_EQ(AgeInSecondLook(look, later), 50 * kMillisecond);
}

TEST(WaitAge, BeginsAnewAfterALookWithoutIt) {
  const LookBuilder look = OneWaiter(Mutex(0x1000, 102));
  LookBuilder without = look;
  without.RunsAtSecond(101);
  History history;
  (void)look.Build(history);
  (void)without.Build(history);
  const Observation observation = WokenAMomentAgo(look).Build(history);
  ASSERT_EQ(observation.waits.size(), 1U);
  EXPECT_EQ(kEnd - observation.waits[0].since, 50 * kMillisecond);
}

}  // namespace
}  // namespace ct
