// Whom the waiters' readings name as the holder, and when that is believed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/observe/raw_look.h"

namespace ct {
namespace {

using ::testing::Contains;
using testing::Edges;
using ::testing::ElementsAre;
using testing::Join;
using testing::LookBuilder;
using testing::Mutex;
using testing::SharedMutex;

constexpr std::uint32_t kContainer = 8;
constexpr std::uint32_t kOtherContainer = 9;
constexpr std::uint32_t kThirdContainer = 10;
constexpr MappedFile kFile{30, 77};

TEST(Holders, AreNobodyIfTheWaitersDisagree) {
  LookBuilder look;
  for (const pid_t tid : {101, 102, 103, 104}) look.Thread(tid);
  look.Waits(101, Mutex(0x1000, 103));
  look.Waits(102, Mutex(0x1000, 104));
  const Observation observation = look.Build();
  EXPECT_THAT(Edges(observation), ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                                              "102 waits for mutex 1:0x1000 (still, certain)",
                                              "holders of mutex 1:0x1000 unknown"));
  EXPECT_TRUE(observation.resources.at(0).changed_hands);
}

TEST(Holders, AreNobodyWhileTheLockIsFree) {
  LookBuilder look;
  look.Thread(101);
  WaitReading& reading = look.Waits(101, Mutex(0x1000, 0)).reading;
  reading.owner_format = OwnerFormat::kTid;
  EXPECT_FALSE(look.Build().resources.at(0).changed_hands) << "its word is as the waiter left it";
  reading.word_matches = false;
  EXPECT_TRUE(look.Build().resources.at(0).changed_hands);
}

TEST(Holders, AreWhomTheReadingsNameThatNameSomebody) {
  LookBuilder look;
  for (const pid_t tid : {101, 102, 103}) look.Thread(tid);
  look.Waits(101, Mutex(0x1000, 103));
  look.Waits(102, Mutex(0x1000, 0));
  EXPECT_THAT(Edges(look.Build()), Contains("103 holds mutex 1:0x1000 (certain)"));
}

TEST(Holders, AreUnknownIfTheReadingSaysSo) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(102);
  look.Waits(101, Mutex(0x1000, 102)).reading.holders_known = false;
  EXPECT_THAT(Edges(look.Build()), ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                                               "holders of mutex 1:0x1000 unknown"));
}

TEST(Holders, AreProbableIfTheWordMovedWhileItWasRead) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(102);
  look.Waits(101, Mutex(0x1000, 102)).reading.word_matches = false;
  const Observation observation = look.Build();
  EXPECT_THAT(Edges(observation), ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                                              "102 holds mutex 1:0x1000 (probable)"));
  EXPECT_EQ(observation.holds.at(0).evidence_note, "owner word read while the lock changed");
}

TEST(Holders, AreAsProbableAsTheReading) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(102);
  look.Waits(101, Mutex(0x1000, 102)).reading.evidence = Evidence::kProbable;
  EXPECT_THAT(Edges(look.Build()), ElementsAre("101 waits for mutex 1:0x1000 (still, probable)",
                                               "102 holds mutex 1:0x1000 (probable)"));
}

TEST(Holders, OfALockOnItself) {
  LookBuilder look;
  look.Thread(101);
  look.Waits(101, Mutex(0x1000, 101));
  EXPECT_THAT(Edges(look.Build()), ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                                               "101 holds mutex 1:0x1000 (certain)"));
}

TEST(Holders, HaveTheTidOfTheWaitersNamespace) {
  LookBuilder look;
  look.Thread(1, 1);  // the host's init
  look.Deselect(1);
  look.Thread(101);
  look.Thread(102);
  look.InNamespace(101, kContainer, 12);
  look.InNamespace(102, kContainer, 1);
  look.Waits(101, Mutex(0x1000, 1));
  EXPECT_THAT(Edges(look.Build()), ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                                               "102 holds mutex 1:0x1000 (certain)"));
}

TEST(Holders, OfAJoinIsTheJoinedThread) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(102);
  look.Waits(101, Join(0x7f00'0000'02d0, 102));
  EXPECT_THAT(Edges(look.Build()),
              ElementsAre("101 waits for thread exit 1:0x7f00000002d0 (still, certain)",
                          "102 holds thread exit 1:0x7f00000002d0 (certain)"));
}

TEST(Holders, OfAJoinAreUnknownOnceTheThreadIsGone) {
  LookBuilder look;
  look.Thread(101);
  look.Waits(101, Join(0x7f00'0000'02d0, 102));
  EXPECT_THAT(Edges(look.Build()),
              ElementsAre("101 waits for thread exit 1:0x7f00000002d0 (still, certain)",
                          "holders of thread exit 1:0x7f00000002d0 unknown"));
}

// --- locks in memory that processes share -------------------------------------------------------

// Two processes that map the file at different addresses; 200's thread 201 waits, and 101, too.
LookBuilder TwoProcesses(pid_t owner_ns_tid) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(102);
  look.Thread(201, 200);
  look.Waits(101, SharedMutex(0x7f00'1040, owner_ns_tid, kFile, 0x40));
  look.Waits(201, SharedMutex(0x7e00'3040, owner_ns_tid, kFile, 0x40));
  return look;
}

TEST(SharedLock, IsOneWhereverItIsMapped) {
  LookBuilder look = TwoProcesses(102);
  look.Process(testing::kApp).mapped_files = {kFile};
  EXPECT_THAT(Edges(look.Build()),
              ElementsAre("101 waits for mutex file 30:77+0x40 (still, certain)",
                          "201 waits for mutex file 30:77+0x40 (still, certain)",
                          "102 holds mutex file 30:77+0x40 (certain)"));
}

TEST(SharedLock, IsAnotherAtAnotherOffset) {
  LookBuilder look = TwoProcesses(102);
  look.Waits(201, SharedMutex(0x7e00'3080, 0, kFile, 0x80));
  EXPECT_THAT(Edges(look.Build()),
              ElementsAre("101 waits for mutex file 30:77+0x40 (still, certain)",
                          "201 waits for mutex file 30:77+0x80 (still, certain)",
                          "102 holds mutex file 30:77+0x40 (certain)",
                          "holders of mutex file 30:77+0x80 unknown"));
}

TEST(SharedLock, IsHeldByAnotherProcessOnlyIfThatMapsItsFile) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(201, 200);
  look.Waits(101, SharedMutex(0x1000, 201, kFile, 0));
  EXPECT_THAT(Edges(look.Build()),
              ElementsAre("101 waits for mutex file 30:77+0x0 (still, certain)",
                          "holders of mutex file 30:77+0x0 unknown"));
  look.Process(200).mapped_files = {kFile};
  EXPECT_THAT(Edges(look.Build()),
              ElementsAre("101 waits for mutex file 30:77+0x0 (still, certain)",
                          "201 holds mutex file 30:77+0x0 (certain)"));
}

TEST(SharedLock, OfTwoContainersIsHeldByTheOneWithTheFile) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(201, 200);
  look.Thread(301, 300);
  look.Deselect(200);
  look.InNamespace(101, kContainer, 12);
  look.InNamespace(201, kOtherContainer, 7);
  look.InNamespace(301, kThirdContainer, 7);
  look.Waits(101, SharedMutex(0x1000, 7, kFile, 0));
  look.Process(200).mapped_files = {kFile};
  look.Process(300).unmapped_files = {kFile};
  EXPECT_THAT(Edges(look.Build()),
              ElementsAre("101 waits for mutex file 30:77+0x0 (still, certain)",
                          "201 holds mutex file 30:77+0x0 (certain)"));
}

TEST(SharedLock, OfTwoContainersIsNobodysIfBothHaveAThreadOfThatNumber) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(102);
  look.Thread(201, 200);
  look.InNamespace(101, kContainer, 12);
  look.InNamespace(102, kContainer, 7);
  look.InNamespace(201, kOtherContainer, 7);
  look.Waits(101, SharedMutex(0x1000, 7, kFile, 0));
  const auto nobody = ElementsAre("101 waits for mutex file 30:77+0x0 (still, certain)",
                                  "holders of mutex file 30:77+0x0 unknown");
  EXPECT_THAT(Edges(look.Build()), nobody) << "201's maps were not read";
  look.Process(200).mapped_files = {kFile};
  EXPECT_THAT(Edges(look.Build()), nobody) << "both map it";
  look.Process(200).mapped_files = {};
  look.Process(200).unmapped_files = {kFile};
  EXPECT_THAT(Edges(look.Build()),
              ElementsAre("101 waits for mutex file 30:77+0x0 (still, certain)",
                          "102 holds mutex file 30:77+0x0 (certain)"));
}

}  // namespace
}  // namespace ct
