// What a look reads of whom, and what it remembers.
#include "observe/observer.h"

#include <unistd.h>

#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/observe/fakes.h"

namespace ct {
namespace {

using ::testing::AllOf;
using testing::Condition;
using ::testing::Contains;
using testing::Edges;
using ::testing::ElementsAre;
using testing::Host;
using ::testing::IsEmpty;
using testing::kEnd;
using testing::Mutex;
using ::testing::Not;
using testing::SharedMutex;
using ::testing::UnorderedElementsAre;

constexpr MappedFile kFile{30, 77};

ObserverOptions Only(pid_t pid) {
  ObserverOptions options;
  options.filter.pids = {pid};
  return options;
}

TEST(Look, ReadsLinesOnlyOfThreadsNearLocks) {
  Host host;
  for (const pid_t tid : {100, 101, 102, 103}) host.now().Thread(tid);
  host.Waits(101, Mutex(0x1000, 102));
  host.Waits(103, Condition(0x2000));
  EXPECT_THAT(Edges(host.Look()), ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                                              "103 waits for condition variable 1:0x2000 "
                                              "(still, certain)",
                                              "102 holds mutex 1:0x1000 (certain)",
                                              "holders of condition variable 1:0x2000 unknown"));
  EXPECT_THAT(host.reader.log,
              UnorderedElementsAre("read 101", "read 103", "read 102", "lines 101", "lines 102"));
}

TEST(Look, ReadsNothingOfThreadsThatWaitForNoLock) {
  Host host;
  host.now().Thread(100);
  host.now().Thread(101);
  host.now().Runs(101);
  EXPECT_THAT(Edges(host.Look()), IsEmpty());
  EXPECT_THAT(host.reader.log, IsEmpty());
}

TEST(Look, ReadsEverySleeperIfAllWaitsAreAskedFor) {
  ObserverOptions options;
  options.all_waits = true;
  Host host(options);
  host.now().Thread(100);
  host.now().Thread(101);
  host.now().Runs(101);
  EXPECT_THAT(testing::ActorTids(host.Look()), ElementsAre(100, 101));
  EXPECT_THAT(host.reader.log, ElementsAre("read 100"));
}

TEST(Look, AsksTheSecondSweepWhereTheHolderIsInTheKernel) {
  Host host;
  for (const pid_t tid : {100, 101, 102}) host.now().Thread(tid);
  host.Waits(101, Mutex(0x1000, 102));
  host.Look();
  ASSERT_EQ(host.sweeper.wanted_now.size(), 1U);
  EXPECT_EQ(host.sweeper.wanted_now[0].tid, 102);
  EXPECT_TRUE(host.sweeper.wanted_now[0].kernel_stack);
}

// 100 waits for 201 of another process, 201 for 202, and 202 for nobody.
TEST(Look, FollowsHoldersIntoOtherProcesses) {
  Host host(Only(100));
  host.now().Thread(100);
  host.now().Thread(200, 200);
  host.now().Thread(201, 200);
  host.now().Thread(202, 200);
  host.now().Thread(203, 200);
  host.Waits(100, SharedMutex(0x1000, 201, kFile, 0));
  host.Waits(201, Mutex(0x5000, 202));
  host.Waits(203, Condition(0x6000));
  host.reader.maps[200] = {kFile};
  EXPECT_THAT(Edges(host.Look()), ElementsAre("100 waits for mutex file 30:77+0x0 (still, certain)",
                                              "201 waits for mutex 2:0x5000 (still, certain)",
                                              "201 holds mutex file 30:77+0x0 (certain)",
                                              "202 holds mutex 2:0x5000 (certain)"));
  EXPECT_THAT(host.reader.log, AllOf(Contains("lines 202"), Not(Contains("read 203"))));
}

TEST(Look, DoesNotBelieveAHolderThatDoesNotMapTheLock) {
  Host host(Only(100));
  host.now().Thread(100);
  host.now().Thread(200, 200);
  host.now().Thread(201, 200);
  host.Waits(100, SharedMutex(0x1000, 201, kFile, 0));
  const Observation observation = host.Look();
  EXPECT_THAT(Edges(observation),
              ElementsAre("100 waits for mutex file 30:77+0x0 (still, certain)",
                          "mutex file 30:77+0x0 abandoned by 201: owner's tid was reused"));
  EXPECT_THAT(host.reader.log, Contains("maps of 200"));
}

TEST(Look, AsksWhoeverHasTheOwnersNumberInAnotherContainer) {
  Host host(Only(100));
  host.now().Thread(100);
  host.now().Thread(101);
  host.now().Thread(200, 200);
  host.now().InNamespace(101, 8, 7);
  host.now().InNamespace(100, 8, 1);
  host.now().InNamespace(200, 9, 7);
  host.Waits(100, SharedMutex(0x1000, 7, kFile, 0));
  host.reader.maps[200] = {kFile};
  EXPECT_THAT(Edges(host.Look()), ElementsAre("100 waits for mutex file 30:77+0x0 (still, certain)",
                                              "holders of mutex file 30:77+0x0 unknown"));
}

TEST(Look, FindsWaitersForTheSameLockInOtherProcesses) {
  Host host(Only(100));
  host.now().Thread(100);
  host.now().Thread(200, 200);
  host.now().Thread(300, 300);
  host.Waits(100, SharedMutex(0x1000, 0, kFile, 0));
  host.Waits(200, SharedMutex(0x9000, 0, kFile, 0));
  host.Waits(300, Mutex(0x1000, 0));
  EXPECT_THAT(Edges(host.Look()), ElementsAre("100 waits for mutex file 30:77+0x0 (still, certain)",
                                              "200 waits for mutex file 30:77+0x0 (still, certain)",
                                              "holders of mutex file 30:77+0x0 unknown"));
}

// --- locks that keep no owner: whose stack refers to them?

class Referrers : public ::testing::Test {
 protected:
  Referrers() {
    for (const pid_t tid : {100, 101, 102, 103}) host.now().Thread(tid);
    host.Waits(101, Mutex(0x1000, 0));
    host.Waits(102, Mutex(0x1000, 0));
    for (const pid_t tid : {101, 102}) Sleeps(tid, 2 * kSecond);
    host.reader.referrers[0x1000] = {103};
  }
  void Sleeps(pid_t tid, DurationNs duration) {
    const TimeNs since = host.now().FirstSweep().begin - duration;
    host.now().First(tid).off_cpu_since = host.now().Second(tid).off_cpu_since = since;
  }
  std::vector<std::string> Look() { return Edges(host.Look()); }

  Host host;
};

TEST_F(Referrers, AreProbableHolders) {
  EXPECT_THAT(Look(), Contains("103 holds mutex 1:0x1000 (probable)"));
  EXPECT_THAT(host.reader.log, Contains("referrers of 0x1000 but 101 102"));
  EXPECT_THAT(host.reader.log, Contains("lines 103"));
}

TEST_F(Referrers, AreAllWhoMayHoldIt) {
  host.reader.referrers[0x1000] = {100, 103};
  EXPECT_THAT(Look(), AllOf(Contains("100 holds mutex 1:0x1000 (probable)"),
                            Contains("103 holds mutex 1:0x1000 (probable)")));
}

TEST_F(Referrers, AreNobodyIfEverybodyRefersToIt) {
  host.reader.referrers[0x1000] = {100, 103, 104, 105, 106};
  EXPECT_THAT(Look(), Contains("holders of mutex 1:0x1000 unknown"));
}

TEST_F(Referrers, AreNobodyWhoRanSince) {
  host.now().Moves(103);
  EXPECT_THAT(Look(), Contains("holders of mutex 1:0x1000 unknown"));
}

TEST_F(Referrers, AreNotLookedForWhileSomebodyRuns) {
  host.now().Runs(100);
  EXPECT_THAT(Look(), Contains("holders of mutex 1:0x1000 unknown"));
}

TEST_F(Referrers, AreNotLookedForIfTheWaitIsShort) {
  for (const pid_t tid : {101, 102}) Sleeps(tid, kSecond / 2);
  EXPECT_THAT(Look(), Contains("holders of mutex 1:0x1000 unknown"));
}

TEST_F(Referrers, AreNotLookedForIfTheLockNamesItsOwner) {
  for (const pid_t tid : {101, 102}) host.reader.waits[tid] = Mutex(0x1000, 100);
  EXPECT_THAT(Look(), Contains("100 holds mutex 1:0x1000 (certain)"));
}

ObserverOptions Once() {
  ObserverOptions options;
  options.once = true;
  return options;
}

// --- a closer look at a ring whose threads were all woken
// -----------------------------------------

class CloserLook : public ::testing::Test {
 protected:
  CloserLook() {
    for (const pid_t tid : {100, 101, 102}) host.now().Thread(tid);
    host.Waits(101, Mutex(0x2000, 102));
    host.Waits(102, Mutex(0x1000, 101));
    for (const pid_t tid : {101, 102}) host.now().Moves(tid);
    later = host.now();
    for (const pid_t tid : {101, 102}) later.First(tid) = later.Second(tid);
  }

  Host host{Once()};
  testing::LookBuilder later;  // both sleep through it
};

TEST_F(CloserLook, ProvesTheRing) {
  host.sweeper.later = later;
  EXPECT_THAT(Edges(host.Look()), ElementsAre("101 waits for mutex 1:0x2000 (still, certain)",
                                              "102 waits for mutex 1:0x1000 (still, certain)",
                                              "102 holds mutex 1:0x2000 (certain)",
                                              "101 holds mutex 1:0x1000 (certain)"));
}

TEST_F(CloserLook, ProvesARingOneOfWhoseThreadsWasAwakeAtTheEnd) {
  for (const pid_t tid : {101, 102}) host.now().Second(tid) = host.now().First(tid);
  host.now().RunsAtSecond(102);
  host.sweeper.later = later;
  EXPECT_THAT(Edges(host.Look()), Contains("102 waits for mutex 1:0x1000 (still, certain)"));
}

TEST_F(CloserLook, IsNotTakenAtARingThatIsProven) {
  host.now().Second(101) = host.now().First(101);
  host.Look();
  EXPECT_EQ(host.sweeper.full_sweeps, 2) << "101 slept through, and 102 is where it was";
}

TEST_F(CloserLook, SaysWhatItCouldNotProve) {
  const Observation observation = host.Look();
  ASSERT_EQ(observation.losses.size(), 1U);
  EXPECT_EQ(observation.losses[0].reason,
            "threads seem to wait for each other, and were woken during every look");
  EXPECT_TRUE(observation.losses[0].relevant);
}

TEST_F(CloserLook, ReadsTheOwnersAnew) {
  host.sweeper.later = later;
  host.Look();
  EXPECT_THAT(host.reader.log, AllOf(Contains("owner 101"), Contains("owner 102")));
}

// 102 got what it waited for, and sleeps at another lock before the closer look begins.
TEST_F(CloserLook, ForgetsWhoMovedOnBeforeIt) {
  host.now().Second(102).arguments[0] = 0x3000;
  later.First(102).arguments[0] = later.Second(102).arguments[0] = 0x3000;
  host.sweeper.later = later;
  EXPECT_THAT(Edges(host.Look()), ElementsAre("101 waits for mutex 1:0x2000 (still, certain)",
                                              "102 holds mutex 1:0x2000 (certain)"));
}

TEST_F(CloserLook, ForgetsWhoseWaitHasATimeoutNow) {
  host.now().Second(102).arguments[3] = 0x7ffc'0000;
  later.First(102).arguments[3] = later.Second(102).arguments[3] = 0x7ffc'0000;
  host.sweeper.later = later;
  EXPECT_THAT(Edges(host.Look()), ElementsAre("101 waits for mutex 1:0x2000 (still, certain)",
                                              "102 holds mutex 1:0x2000 (certain)"));
}

TEST_F(CloserLook, ForgetsWhoCalledFromAnotherPlace) {
  later.First(102).registers.dwarf[7] = later.Second(102).registers.dwarf[7] = 0x7ffc'0000;
  host.sweeper.later = later;
  EXPECT_THAT(Edges(host.Look()), ElementsAre("101 waits for mutex 1:0x2000 (still, certain)",
                                              "102 holds mutex 1:0x2000 (certain)"));
}

// 102 was awake at the first sweep: nobody has read what it waits for.
TEST(WholeLook, IsRepeatedForAHolderThatWasAwake) {
  Host host{Once()};
  for (const pid_t tid : {100, 101, 102}) host.now().Thread(tid);
  host.Waits(101, Mutex(0x2000, 102));
  host.Waits(102, Mutex(0x1000, 101));
  testing::LookBuilder later = host.now();
  host.now().First(102).asleep = false;
  host.now().First(102).state = RunState::kRunning;
  host.sweeper.later = later;
  EXPECT_THAT(Edges(host.Look()), ElementsAre("101 waits for mutex 1:0x2000 (still, certain)",
                                              "102 waits for mutex 1:0x1000 (still, certain)",
                                              "102 holds mutex 1:0x2000 (certain)",
                                              "101 holds mutex 1:0x1000 (certain)"));
  EXPECT_EQ(host.sweeper.full_sweeps, 4);
}

TEST(WholeLook, IsNotRepeatedInATrace) {
  Host host;
  for (const pid_t tid : {100, 101, 102}) host.now().Thread(tid);
  host.Waits(101, Mutex(0x2000, 102));
  host.Waits(102, Mutex(0x1000, 101));
  host.now().First(102).asleep = false;
  host.Look();
  EXPECT_EQ(host.sweeper.full_sweeps, 2) << "the next tick looks again";
}

TEST(WholeLook, IsNotRepeatedForAHolderThatWorks) {
  Host host{Once()};
  for (const pid_t tid : {100, 101, 102}) host.now().Thread(tid);
  host.Waits(101, Mutex(0x2000, 102));
  host.now().Runs(102);
  host.Look();
  EXPECT_EQ(host.sweeper.full_sweeps, 2);
}

// --- what is remembered -------------------------------------------------------------------------

std::unique_ptr<Host> OneWaiter() {
  auto host = std::make_unique<Host>();
  for (const pid_t tid : {100, 101, 102}) host->now().Thread(tid);
  host->Waits(101, Mutex(0x1000, 102));
  return host;
}

TEST(SecondLook, ReadsOnlyTheOwnerAnewOfAThreadThatSleepsOn) {
  const auto host = OneWaiter();
  const Observation first = host->Look();
  host->reader.TakeLog();
  const Observation second = host->Look();
  EXPECT_THAT(host->reader.TakeLog(), ElementsAre("owner 101"));
  EXPECT_EQ(second.waits, first.waits);
  EXPECT_EQ(second.holds, first.holds);
  EXPECT_EQ(second.actors, first.actors);
  EXPECT_EQ(second.stacks, first.stacks);
}

TEST(SecondLook, SeesANewOwner) {
  const auto host = OneWaiter();
  host->Look();
  host->reader.waits[101] = Mutex(0x1000, 100);
  EXPECT_THAT(Edges(host->Look()), ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                                               "100 holds mutex 1:0x1000 (certain)"));
}

TEST(SecondLook, ReadsAThreadAgainThatRan) {
  const auto host = OneWaiter();
  host->Look();
  host->reader.TakeLog();
  host->now().First(101).switches += 2;
  host->now().Second(101).switches += 2;
  host->Look();
  EXPECT_THAT(host->reader.TakeLog(), ElementsAre("read 101", "lines 101"));
}

// The lock may have a new owner by now that the old reading does not name.
TEST(SecondLook, DoesNotTrustAnOldOwnerThatCouldNotBeReadAgain) {
  const auto host = OneWaiter();
  host->Look();
  host->reader.refresh_fails = true;
  host->reader.waits[101] = Mutex(0x1000, 100);
  const Observation observation = host->Look();
  EXPECT_THAT(Edges(observation), ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                                              "100 holds mutex 1:0x1000 (certain)"));
  EXPECT_THAT(observation.losses, ElementsAre(Loss{"process not readable", 1, true, "process"}));
}

TEST(SecondLook, AsksForTheFactsAgainAfterAnExec) {
  const auto host = OneWaiter();
  host->Look();
  host->reader.requests.clear();
  host->now().Thread(301, 300);
  for (const pid_t tid : {100, 101, 102}) host->now().SharesMemory(tid, 300);
  host->Look();
  ASSERT_FALSE(host->reader.requests.empty());
  EXPECT_TRUE(host->reader.requests.front().want_process);
}

TEST(ManyLooks, NameTheSameModules) {
  const auto host = OneWaiter();
  for (int i = 0; i < 10; ++i) {
    host->now().First(101).switches += 2;
    host->now().Second(101).switches += 2;
    const Observation observation = host->Look();
    ASSERT_THAT(observation.modules, ElementsAre(Module{"/bin/app", "aa", false}));
    for (const Stack& stack : observation.stacks) {
      EXPECT_EQ(stack.frames.at(0).module, 0);
    }
  }
}

// --- processes that end -------------------------------------------------------------------------

TEST(Look, ReadsAProcessThroughALivingThread) {
  Host host;
  for (const pid_t tid : {100, 101, 102}) host.now().Thread(tid);
  host.Waits(101, Mutex(0x1000, 102));
  host.now().First(100).state = host.now().Second(100).state = RunState::kExited;
  EXPECT_THAT(Edges(host.Look()), ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                                              "102 holds mutex 1:0x1000 (certain)"));
  host.reader.TakeLog();
  host.Look();
  EXPECT_THAT(host.reader.TakeLog(), ElementsAre("owner 101"));
  for (const ProcessToRead& request : host.reader.requests) EXPECT_NE(request.pid, 100);
}

TEST(Look, SaysThatAProcessHasEnded) {
  constexpr pid_t kNobody = 1 << 22;
  Host host(Only(kNobody));
  host.now().Thread(100);
  const auto observation = host.observer.Look();
  ASSERT_FALSE(observation);
  EXPECT_EQ(observation.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(observation.error().message, "pid 4194304 has ended");
}

TEST(Look, SaysThatAProcessEndedInTheMiddle) {
  constexpr pid_t kNobody = 1 << 22;
  Host host(Only(kNobody));
  host.now().Thread(kNobody, kNobody);
  host.now().Thread(100);
  host.now().Dies(kNobody);
  const auto observation = host.observer.Look();
  ASSERT_FALSE(observation);
  EXPECT_EQ(observation.error().code, ErrorCode::kNotFound);
}

TEST(Look, SaysThatAProcessLivesUnseen) {
  Host host(Only(getpid()));
  host.now().Thread(100);
  const auto observation = host.observer.Look();
  ASSERT_FALSE(observation);
  EXPECT_EQ(observation.error().code, ErrorCode::kUnsupported);
}

TEST(Look, SaysThatNothingMatches) {
  ObserverOptions options;
  options.filter.comm = "nginx";
  Host host(options);
  host.now().Thread(100);
  const auto observation = host.observer.Look();
  ASSERT_FALSE(observation);
  EXPECT_EQ(observation.error().message, "no process matches comm nginx");
}

TEST(Look, CountsEqualLossesOnce) {
  const auto host = OneWaiter();
  host->now().Thread(200, 200);
  host->now().Thread(201, 200);
  host->Waits(201, Mutex(0x1000, 200));
  host->Look();
  host->reader.refresh_fails = true;
  EXPECT_THAT(host->Look().losses, ElementsAre(Loss{"process not readable", 2, true, "process"}));
}

}  // namespace
}  // namespace ct
