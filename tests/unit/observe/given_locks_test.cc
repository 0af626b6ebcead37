// Who has a lock that keeps no owner: the last who was let go, where that says something.
#include "observe/given_locks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/observe/raw_look.h"

namespace ct {
namespace {

using ::testing::Contains;
using testing::Edges;
using ::testing::IsEmpty;
using testing::kApp;
using testing::kEnd;
using testing::LookBuilder;
using testing::Mutex;
using ::testing::Not;

LockCount Count(std::uint64_t waits, std::uint64_t holds, std::uint64_t timeouts = 0) {
  LockCount count;
  count.key = {1, 0x1000, 100};
  count.waits.waits = waits;
  count.waits.timeouts = timeouts;
  count.holds.holds = holds;
  return count;
}

TEST(GoesRound, IfTheLastWhoWasLetGoLetsTheNextGo) {
  EXPECT_TRUE(GoesRound(Count(4, 3)));
  EXPECT_TRUE(GoesRound(Count(101, 90)));
  EXPECT_TRUE(GoesRound(Count(50, 3, 46))) << "who gave up was let go by nobody";
}

TEST(GoesRound, NotIfOthersDo) {
  EXPECT_FALSE(GoesRound(Count(102, 90)));
  EXPECT_FALSE(GoesRound(Count(100, 0)));
}

TEST(GoesRound, NotByChance) {
  EXPECT_FALSE(GoesRound(Count(0, 0)));
  EXPECT_FALSE(GoesRound(Count(3, 2)));
}

TEST(IsLetGoByWaiters, EvenIfManyHaveItAtATime) {
  LockCount pool = Count(100, 0);
  pool.by_waiters = 50;
  EXPECT_TRUE(IsLetGoByWaiters(pool));
  pool.by_waiters = 49;
  EXPECT_FALSE(IsLetGoByWaiters(pool));
  LockCount once = Count(2, 0);
  once.by_waiters = 2;
  EXPECT_FALSE(IsLetGoByWaiters(once)) << "chance";
}

TEST(GivenLocks, AreOfTheThreadThatWasLetGoLast) {
  LockCount count = Count(10, 9);
  EXPECT_THAT(FindGivenLocks({&count, 1}), IsEmpty()) << "nobody was let go";
  count.given_to = 7;
  count.given_at = 50;
  LockCount later = count;  // of a process that shares the memory
  later.key.pid = 200;
  later.given_to = 8;
  later.given_at = 60;
  for (const auto& counts : {std::vector{count, later}, std::vector{later, count}}) {
    const GivenLocks given = FindGivenLocks(counts);
    ASSERT_EQ(given.size(), 1U);
    EXPECT_EQ(given.begin()->first, std::pair(std::uint64_t{1}, std::uint64_t{0x1000}));
    EXPECT_EQ(given.begin()->second.tid, 8);
    EXPECT_EQ(given.begin()->second.since, 60);
    EXPECT_TRUE(given.begin()->second.goes_round);
  }
}

// 101 has waited for 10 s; 102 was given the lock 3 s ago.
class GivenTo : public ::testing::Test {
 protected:
  GivenTo() {
    for (const pid_t tid : {101, 102}) look_.Thread(tid);
    look_.Waits(101, Mutex(0x1000, 0));
    look_.Given(0x1000, given_);
  }

  std::vector<std::string> Found() { return Edges(look_.Build()); }

  GivenLock given_{102, kEnd - 3 * kSecond, true};
  LookBuilder look_;
  const std::string holds_ = "102 holds mutex 1:0x1000 (probable)";
};

TEST_F(GivenTo, ProbablyHoldsTheLockSinceThen) {
  EXPECT_THAT(Found(), Contains(holds_));
  const Observation observation = look_.Build();
  ASSERT_EQ(observation.holds.size(), 1U);
  EXPECT_EQ(observation.holds.front().since, kEnd - 3 * kSecond);
}

TEST_F(GivenTo, NeedsNoTurnsIfOnlyOneCanHoldTheLock) {
  given_.goes_round = false;
  look_.Given(0x1000, given_);
  EXPECT_THAT(Found(), Contains(holds_));
}

TEST_F(GivenTo, IsNobodyIfNobodyWaitedThen) {
  given_.since = kEnd - 11 * kSecond;
  look_.Given(0x1000, given_);
  EXPECT_THAT(Found(), Not(Contains(holds_))) << "it may have let go, and nobody was there";
}

TEST_F(GivenTo, IsNobodyIfTheWaiterHasRun) {
  look_.Moves(101);
  EXPECT_THAT(Found(), Not(Contains(holds_))) << "nobody knows whether it waited then";
}

TEST_F(GivenTo, IsNobodyWhileTheWaitIsShort) {
  look_.Second(101).off_cpu_since = look_.First(101).off_cpu_since = kEnd - kSecond / 2;
  given_.since = kEnd - kSecond / 4;
  look_.Given(0x1000, given_);
  EXPECT_THAT(Found(), Not(Contains(holds_)));
  BuildOptions options;
  options.long_wait = kSecond / 4;
  EXPECT_THAT(Edges(look_.Build(options)), Contains(holds_));
}

TEST_F(GivenTo, IsNobodyIfItWaitsAgain) {
  look_.Waits(102, Mutex(0x1000, 0));
  EXPECT_THAT(Found(), Not(Contains(holds_)));
}

TEST_F(GivenTo, IsNotAYoungerThreadWithItsTid) {
  look_.Second(102).id.start_time = look_.First(102).id.start_time = kEnd - kSecond;
  EXPECT_THAT(Found(), Not(Contains(holds_)));
}

TEST_F(GivenTo, IsNotAThreadOfAnotherMemory) {
  look_.Thread(201, 200);
  given_.tid = 201;
  look_.Given(0x1000, given_);
  EXPECT_THAT(Found(), Not(Contains("201 holds mutex 1:0x1000 (probable)")));
}

TEST_F(GivenTo, IsLessThanWhomTheLockNames) {
  look_.Thread(103);
  look_.Waits(101, Mutex(0x1000, 103));
  EXPECT_THAT(Found(), Contains("103 holds mutex 1:0x1000 (certain)"));
  EXPECT_THAT(Found(), Not(Contains(holds_)));
}

TEST_F(GivenTo, IsNobodyOfALockThatKeepsItsOwner) {
  look_.Waits(101, Mutex(0x1000, 0)).reading.owner_format = OwnerFormat::kTid;
  EXPECT_THAT(Found(), Not(Contains(holds_))) << "it says itself whose it is, or that it is free";
}

TEST_F(GivenTo, NeedsTurnsIfItMayBeASignal) {
  LocatedWait semaphore = testing::Semaphore(0x2000);
  semaphore.reading.purpose = WaitPurpose::kAcquire;
  look_.Waits(101, semaphore);
  const std::string holds = "102 holds semaphore 1:0x2000 (probable)";
  look_.Given(0x2000, given_);
  EXPECT_THAT(Found(), Contains(holds));
  given_.goes_round = false;
  look_.Given(0x2000, given_);
  EXPECT_THAT(Found(), Not(Contains(holds)));
}

TEST_F(GivenTo, IsNobodyOfWhatManyCanHold) {
  LocatedWait rwlock = Mutex(0x3000, 0);
  rwlock.reading.kind = ResourceKind::kRwLock;
  look_.Waits(101, rwlock);
  look_.Given(0x3000, given_);
  EXPECT_THAT(look_.Build().holds, IsEmpty());
}

}  // namespace
}  // namespace ct
