// From a raw look to findings: a deadlock is told, and its healthy twins are not.
#include <gtest/gtest.h>

#include "detect/detect.h"
#include "tests/unit/graph/observation_builder.h"
#include "tests/unit/observe/raw_look.h"

namespace ct {
namespace {

using testing::Join;
using testing::LookBuilder;
using testing::Mutex;

std::string FindingsOf(const Observation& observation) {
  return testing::Summary(Detect(observation), observation);
}

LocatedWait Named(LocatedWait wait, const char* symbol) {
  wait.symbol = symbol;
  return wait;
}

// t101 holds A and waits for B, t102 the other way around; both for 10 s. The rest of the process
// is idle.
LookBuilder Abba() {
  LookBuilder look;
  for (const pid_t tid : {100, 101, 102}) look.Thread(tid);
  look.Waits(101, Named(Mutex(0x2000, 102), "B"));
  look.Waits(102, Named(Mutex(0x1000, 101), "A"));
  return look;
}

// Both were woken between the sweeps, and are where they were.
LookBuilder BothMoved() {
  LookBuilder look = Abba();
  look.Moves(101);
  look.Moves(102);
  return look;
}

constexpr const char* kDeadlock = "DEADLOCK certain, never, for 10.0 s | t101>B t102>A";

TEST(Findings, AreADeadlockOfTwo) { EXPECT_EQ(FindingsOf(Abba().Build()), kDeadlock); }

TEST(Findings, AreADeadlockIfASignalWokeOneOfTheTwo) {
  LookBuilder look = Abba();
  look.Moves(102);
  EXPECT_EQ(FindingsOf(look.Build()), kDeadlock);
}

// 102 may have had A and given it back between the sweeps.
TEST(Findings, AreNoneIfBothRanInBetween) {
  EXPECT_EQ(FindingsOf(BothMoved().Build()).find("DEADLOCK"), std::string::npos);
}

TEST(Findings, AreNoDeadlockIfAHolderRuns) {
  LookBuilder look = Abba();
  look.RunsAtSecond(102);
  EXPECT_EQ(FindingsOf(look.Build()),
            "LONG_WAIT certain, may end, for 10.0 s | t101 wait | "
            "t101>B | root t102");
}

// A signal woke it: it has not run yet, and what it will find is that the lock is still held.
TEST(Findings, AreADeadlockIfAHolderWasJustWoken) {
  LookBuilder look = Abba();
  look.Second(102).asleep = false;
  look.Second(102).state = RunState::kRunnable;
  EXPECT_EQ(FindingsOf(look.Build()), FindingsOf(Abba().Build()));
}

TEST(Findings, AreNoDeadlockIfAWaiterWaitsForSomethingElseNow) {
  LookBuilder look = Abba();
  look.Moves(102);
  look.Second(102).arguments[0] = 0x3000;
  EXPECT_EQ(FindingsOf(look.Build()).find("DEADLOCK"), std::string::npos);
}

TEST(Findings, AreNoCertainDeadlockIfAnOwnerWordMoved) {
  LookBuilder look = Abba();
  look.Reading(102).read.wait->reading.word_matches = false;
  EXPECT_EQ(FindingsOf(look.Build()),
            "PROBABLE_DEADLOCK probable, never, for 10.0 s | t101>B t102>A");
}

TEST(Findings, AreADeadlockThroughAJoin) {
  LookBuilder look;
  look.Thread(100);
  look.Thread(101);
  look.Waits(100, Named(Join(0x7f00'02d0, 101), "exit"));
  look.Waits(101, Named(Mutex(0x1000, 100), "A"));
  EXPECT_EQ(FindingsOf(look.Build()), "DEADLOCK certain, never, for 10.0 s | t100>exit t101>A");
}

TEST(Findings, AreAnAbandonedLock) {
  LookBuilder look;
  look.Thread(100);
  look.Thread(101);
  look.Waits(101, Named(Mutex(0x1000, 555), "A"));
  const std::string found = FindingsOf(look.Build());
  EXPECT_TRUE(found.starts_with("ABANDONED_LOCK certain, never, for 10.0 s")) << found;
}

TEST(Findings, AreAClosedWorldWithoutAnyOwner) {
  LookBuilder look;
  look.Thread(100);
  look.Thread(101);
  look.Waits(100, Named(Mutex(0x1000, 0), "A"));
  look.Waits(101, Named(Mutex(0x2000, 0), "B"));
  EXPECT_TRUE(FindingsOf(look.Build()).starts_with("DEADLOCK")) << FindingsOf(look.Build());
  look.ExtraUser(testing::kApp);
  EXPECT_EQ(FindingsOf(look.Build()).find("DEADLOCK"), std::string::npos);
}

// The same few threads queue for a lock at look after look, each time for a moment.
TEST(Findings, AreNoLongWaitIfTheLockMovesBetweenLooks) {
  History history;
  std::string found;
  for (int second = 0; second < 5; ++second) {
    LookBuilder look;
    look.Thread(101);
    look.Thread(102);
    look.Waits(101, Mutex(0x1000, 102));
    for (const pid_t tid : {101, 102}) {
      for (TaskSample* task : {&look.First(tid), &look.Second(tid)}) {
        task->switches = 1000U * static_cast<std::uint64_t>(second);
      }
    }
    RawLook raw = look.Look();
    for (Sweep* sweep : {&raw.first, &raw.second}) {
      sweep->begin += second * kSecond;
      sweep->end += second * kSecond;
      for (TaskSample& task : sweep->tasks) task.off_cpu_since = raw.first.begin - kMillisecond;
    }
    found += FindingsOf(BuildObservation(raw, {}, 0, history));
  }
  EXPECT_EQ(found, "");
}

}  // namespace
}  // namespace ct
