// Locks whose owner word names nobody who could ever unlock them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/observe/raw_look.h"

namespace ct {
namespace {

using ::testing::Contains;
using testing::Edges;
using ::testing::ElementsAre;
using testing::LookBuilder;
using testing::Mutex;
using testing::SharedMutex;

constexpr std::uint32_t kContainer = 8;
constexpr MappedFile kFile{30, 77};

// 101 waits for a lock that names 555.
LookBuilder NamesNobody() {
  LookBuilder look;
  look.Thread(101);
  look.Thread(102);
  look.Waits(101, Mutex(0x1000, 555));
  return look;
}

const auto kUnknownHolder = ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                                        "holders of mutex 1:0x1000 unknown");

TEST(Abandoned, ByAnOwnerThatHasEnded) {
  EXPECT_THAT(Edges(NamesNobody().Build()),
              ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                          "mutex 1:0x1000 abandoned by 555: owner exited"));
}

TEST(Abandoned, ByAZombie) {
  LookBuilder look = NamesNobody();
  look.Thread(555);
  look.First(555).state = look.Second(555).state = RunState::kExited;
  EXPECT_THAT(Edges(look.Build()), ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                                               "mutex 1:0x1000 abandoned by 555: owner exited"));
}

TEST(Abandoned, ByAThreadOfTheParent) {
  LookBuilder look = NamesNobody();
  look.Thread(555, 500);
  look.First(101).parent_pid = look.Second(101).parent_pid = 500;
  EXPECT_THAT(Edges(look.Build()),
              ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                          "mutex 1:0x1000 abandoned by 555: inherited over fork"));
}

TEST(Abandoned, ByAThreadOfTheGrandparent) {
  LookBuilder look = NamesNobody();
  look.Thread(555, 500);
  look.Thread(600, 600);
  look.First(101).parent_pid = look.Second(101).parent_pid = 600;
  look.First(600).parent_pid = look.Second(600).parent_pid = 500;
  EXPECT_THAT(Edges(look.Build()),
              ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                          "mutex 1:0x1000 abandoned by 555: inherited over fork"));
}

TEST(Abandoned, ByAnOwnerWhoseTidAStrangerHasNow) {
  LookBuilder look = NamesNobody();
  look.Thread(555, 500);
  EXPECT_THAT(Edges(look.Build()),
              ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                          "mutex 1:0x1000 abandoned by 555: owner's tid was reused"));
}

// All waiters have slept since before 102 was born: nobody was woken, so it was not unlocked since.
class YoungOwner : public ::testing::Test {
 protected:
  YoungOwner() {
    look.Thread(101);
    look.Thread(102);
    look.Waits(101, Mutex(0x1000, 102));
    const TimeNs now = look.FirstSweep().begin;
    look.First(101).off_cpu_since = look.Second(101).off_cpu_since = now - 60 * kSecond;
    Born(now - 10 * kSecond);
  }
  void Born(TimeNs time) { look.First(102).id.start_time = look.Second(102).id.start_time = time; }
  LookBuilder look;
};

TEST_F(YoungOwner, HasTheTidOfTheOneBefore) {
  EXPECT_THAT(Edges(look.Build()),
              ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                          "mutex 1:0x1000 abandoned by 102: owner's tid was reused"));
}

TEST_F(YoungOwner, IsTheOwnerIfTheClocksMayBeOff) {
  Born(look.First(101).off_cpu_since + kSecond / 2);
  EXPECT_THAT(Edges(look.Build()), Contains("102 holds mutex 1:0x1000 (certain)"));
}

TEST_F(YoungOwner, IsTheOwnerIfAWaiterMoved) {
  look.Moves(101);
  EXPECT_THAT(Edges(look.Build()), Contains("102 holds mutex 1:0x1000 (certain)"));
}

TEST_F(YoungOwner, IsTheOwnerIfAWaiterMayHaveGivenUp) {
  LocatedWait wait = Mutex(0x1000, 102);
  wait.reading.timed = true;
  look.Waits(101, wait);
  EXPECT_THAT(Edges(look.Build()), Contains("102 holds mutex 1:0x1000 (certain)"));
}

TEST(Abandoned, ByAnOwnerInTheWaitersNamespaceWhoeverHasTheTidOutside) {
  LookBuilder look = NamesNobody();
  look.InNamespace(101, kContainer, 1);
  look.Thread(555, 500);
  EXPECT_THAT(Edges(look.Build()), ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                                               "mutex 1:0x1000 abandoned by 555: owner exited"));
}

TEST(Abandoned, NotWhileTheOwnerLives) {
  LookBuilder look = NamesNobody();
  look.Thread(555);
  EXPECT_THAT(Edges(look.Build()), ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                                               "555 holds mutex 1:0x1000 (certain)"));
}

TEST(Abandoned, NotIfTheOwnerEndedJustNow) {
  LookBuilder look = NamesNobody();
  look.Thread(555);
  look.Dies(555);
  EXPECT_THAT(Edges(look.Build()), kUnknownHolder);
}

TEST(Abandoned, NotIfTheWaiterMoved) {
  LookBuilder look = NamesNobody();
  look.Moves(101);
  EXPECT_THAT(Edges(look.Build()), ElementsAre("101 waits for mutex 1:0x1000 (continued, certain)",
                                               "holders of mutex 1:0x1000 unknown"));
}

// The owner may have begun after the first sweep and ended before the second.
TEST(Abandoned, NotIfAnotherWaiterWasWoken) {
  LookBuilder look = NamesNobody();
  look.Waits(102, Mutex(0x1000, 0));
  look.RunsAtSecond(102);
  EXPECT_THAT(Edges(look.Build()), kUnknownHolder);
  look.Second(102) = look.First(102);
  EXPECT_THAT(Edges(look.Build()), ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                                               "102 waits for mutex 1:0x1000 (still, certain)",
                                               "mutex 1:0x1000 abandoned by 555: owner exited"));
}

TEST(Abandoned, NotIfAWaiterThatNobodyReadWasWoken) {
  LookBuilder look = NamesNobody();
  look.Waits(102, Mutex(0x1000, 0));
  look.Process(testing::kApp).threads.erase(102);
  look.Dies(102);
  EXPECT_THAT(Edges(look.Build()), kUnknownHolder);
}

TEST(Abandoned, WhoeverIsWokenElsewhere) {
  LookBuilder look = NamesNobody();
  look.Waits(102, Mutex(0x1040, 0));
  look.RunsAtSecond(102);
  look.Thread(201, 200);
  look.Waits(201, Mutex(0x1000, 0));
  look.RunsAtSecond(201);
  EXPECT_THAT(Edges(look.Build()), ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                                               "mutex 1:0x1000 abandoned by 555: owner exited"));
}

TEST(Abandoned, NotIfTheLockIsRobust) {
  LookBuilder look = NamesNobody();
  look.Reading(101).read.wait->reading.robust = true;
  EXPECT_THAT(Edges(look.Build()), kUnknownHolder);
}

TEST(Abandoned, NotIfTheWordMovedWhileItWasRead) {
  LookBuilder look = NamesNobody();
  look.Reading(101).read.wait->reading.word_matches = false;
  EXPECT_THAT(Edges(look.Build()), kUnknownHolder);
}

TEST(Abandoned, NotIfItOnlyLooksLikeALock) {
  LookBuilder look = NamesNobody();
  look.Reading(101).read.wait->reading.evidence = Evidence::kProbable;
  EXPECT_THAT(Edges(look.Build()), ElementsAre("101 waits for mutex 1:0x1000 (still, probable)",
                                               "holders of mutex 1:0x1000 unknown"));
}

TEST(Abandoned, NotIfAThreadOfTheSpaceHasThatTidInAnotherNamespace) {
  LookBuilder look = NamesNobody();
  look.InNamespace(102, kContainer, 555);
  EXPECT_THAT(Edges(look.Build()), kUnknownHolder);
}

// --- in memory that processes share -------------------------------------------------------------

LookBuilder SharedNamesNobody() {
  LookBuilder look;
  look.Thread(101);
  look.Waits(101, SharedMutex(0x1000, 555, kFile, 0));
  return look;
}

const auto kSharedUnknownHolder = ElementsAre("101 waits for mutex file 30:77+0x0 (still, certain)",
                                              "holders of mutex file 30:77+0x0 unknown");

TEST(AbandonedShared, ByAnOwnerThatHasEnded) {
  EXPECT_THAT(Edges(SharedNamesNobody().Build()),
              ElementsAre("101 waits for mutex file 30:77+0x0 (still, certain)",
                          "mutex file 30:77+0x0 abandoned by 555: owner exited"));
}

TEST(AbandonedShared, ByAnOwnerWhoseTidAStrangerHasNow) {
  LookBuilder look = SharedNamesNobody();
  look.Thread(555, 500);
  EXPECT_THAT(Edges(look.Build()), kSharedUnknownHolder) << "who may map it, for all we know";
  look.Process(500).unmapped_files = {kFile};
  EXPECT_THAT(Edges(look.Build()),
              ElementsAre("101 waits for mutex file 30:77+0x0 (still, certain)",
                          "mutex file 30:77+0x0 abandoned by 555: owner's tid was reused"));
}

TEST(AbandonedShared, NotIfTheOwnerMayLiveInAnotherContainer) {
  LookBuilder look = SharedNamesNobody();
  look.Thread(201, 200);
  look.InNamespace(201, kContainer, 555);
  EXPECT_THAT(Edges(look.Build()), kSharedUnknownHolder);
}

TEST(AbandonedShared, NotIfTheOwnerEndedJustNow) {
  LookBuilder look = SharedNamesNobody();
  look.Thread(555, 500);
  look.Process(500).mapped_files = {kFile};
  look.Dies(555);
  EXPECT_THAT(Edges(look.Build()), kSharedUnknownHolder);
}

TEST(AbandonedShared, NotIfAWaiterInAnotherProcessWasWoken) {
  LookBuilder look = SharedNamesNobody();
  look.Thread(201, 200);
  look.Waits(201, SharedMutex(0x9000, 0, kFile, 0));
  look.RunsAtSecond(201);
  EXPECT_THAT(Edges(look.Build()), kSharedUnknownHolder);
}

}  // namespace
}  // namespace ct
