// Looks that missed what the holder of a lock waits for, because it was awake for a moment: each
// rule with what looks alike and is no reason to look again.
#include "observe/restless.h"

#include <gtest/gtest.h>

#include "tests/unit/observe/raw_look.h"

namespace ct {
namespace {

using testing::Condition;
using testing::LookBuilder;
using testing::Mutex;

constexpr std::uint64_t kLock = 0x1000;
constexpr std::uint64_t kOther = 0x2000;

// 101 waits for a lock of 102, which sleeps in epoll_wait.
class MissedHolder : public ::testing::Test {
 protected:
  MissedHolder() {
    look_.Thread(101);
    look_.Thread(102);
    look_.Waits(101, Mutex(kLock, 102));
  }
  // In a futex call at both sweeps, of which nothing could be read.
  void HolderIsInFutex() {
    look_.Waits(102, Mutex(kOther, 0));
    look_.Reading(102).read.wait.reset();
  }
  // It was read to wait for a lock in that call.
  void HolderWaitsForALock() { look_.Waits(102, Mutex(kOther, 0)); }
  void HolderRan() { look_.Moves(102); }
  bool IsMissed() {
    const RawLook look = look_.Look();
    return HasMissedHolder(look, SweepIndex(look.first), SweepIndex(look.second));
  }

  LookBuilder look_;
};

TEST_F(MissedHolder, OneThatSleepsElsewhereIsNone) { EXPECT_FALSE(IsMissed()); }

TEST_F(MissedHolder, OneThatRunsIsNone) {
  look_.Runs(102);
  EXPECT_FALSE(IsMissed());
}

TEST_F(MissedHolder, OneThatHasWokenFromAFutexCall) {
  HolderIsInFutex();
  look_.RunsAtSecond(102);
  EXPECT_TRUE(IsMissed()) << "it may be about to ask for the GIL again";
}

TEST_F(MissedHolder, OneThatHasWokenFromAnotherCallIsNone) {
  look_.RunsAtSecond(102);
  EXPECT_FALSE(IsMissed());
}

TEST_F(MissedHolder, OneThatHasBegunSinceAndRunsIsNone) {
  look_.Runs(102);
  look_.IsBorn(102);
  EXPECT_FALSE(IsMissed());
}

TEST_F(MissedHolder, OneInAFutexCallThatRanAndWasNotRead) {
  HolderIsInFutex();
  HolderRan();
  EXPECT_TRUE(IsMissed());
}

TEST_F(MissedHolder, OneInAFutexCallThatSleptThroughWasReadAsItIs) {
  HolderIsInFutex();
  EXPECT_FALSE(IsMissed()) << "there is nothing more to be seen";
  HolderWaitsForALock();
  EXPECT_FALSE(IsMissed());
}

TEST_F(MissedHolder, OneWhoseStackMovedWhileItWasRead) {
  look_.Waits(102, Condition(kOther));
  EXPECT_FALSE(IsMissed()) << "it slept: it is a condition";
  HolderRan();
  EXPECT_TRUE(IsMissed()) << "it may be the GIL";
}

TEST_F(MissedHolder, OneThatRanAndWaitsForTheSameLockAgainIsNone) {
  HolderWaitsForALock();
  HolderRan();
  EXPECT_FALSE(IsMissed());
}

TEST_F(MissedHolder, OneThatWaitsForAnotherLockThanAtFirst) {
  HolderWaitsForALock();
  look_.First(102).arguments[0] = kOther + 64;
  HolderRan();
  EXPECT_TRUE(IsMissed());
}

TEST_F(MissedHolder, OneThatHasBegunToWaitSinceTheFirstSweep) {
  HolderWaitsForALock();
  look_.IsBorn(102);
  EXPECT_TRUE(IsMissed());
}

TEST_F(MissedHolder, WhoWaitsForAnEventHasNoHolder) {
  look_.Waits(101, Condition(kLock)).reading.owner_ns_tid = 102;
  HolderIsInFutex();
  HolderRan();
  EXPECT_FALSE(IsMissed());
}

TEST_F(MissedHolder, ALockThatNamesNobodyHasNoHolder) {
  look_.Waits(101, Mutex(kLock, 0));
  HolderIsInFutex();
  HolderRan();
  EXPECT_FALSE(IsMissed());
}

TEST_F(MissedHolder, OfAWaiterThatHasEndedNothingIsMissed) {
  HolderIsInFutex();
  HolderRan();
  look_.Dies(101);
  EXPECT_FALSE(IsMissed());
}

TEST_F(MissedHolder, AThreadOfTheSameNumberInAnotherContainerIsNoHolder) {
  HolderIsInFutex();
  HolderRan();
  look_.InNamespace(102, 8, 102);
  EXPECT_FALSE(IsMissed());
}

}  // namespace
}  // namespace ct
