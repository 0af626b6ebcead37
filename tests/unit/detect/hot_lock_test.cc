#include <gtest/gtest.h>

#include "tests/unit/detect/findings.h"

namespace ct {
namespace {

// A holder and a queue of waiters for 0.3 s, some of whom moved between the looks.
std::string Queue(int still, int moved, const std::string& words = "",
                  const std::string& holder = "") {
  std::string text = "holder: holds L" + holder + "\n";
  for (int i = 0; i < still; ++i) text += "s" + std::to_string(i) + ": waits L 300ms\n";
  for (int i = 0; i < moved; ++i) {
    text += "m" + std::to_string(i) + ": waits L 50ms once " + words + "\n";
  }
  return text;
}

TEST(HotLock, AQueueThatMoves) {
  EXPECT_EQ(testing::Findings(Queue(4, 4)),
            "HOT_LOCK certain, may end, for 50 ms | s0 s1 s2 s3 m0 m1 m2 m3 wait | root holder");
}

TEST(HotLock, NotAShortQueue) { EXPECT_EQ(testing::Findings(Queue(0, 7)), ""); }

TEST(HotLock, NotAQueueThatStands) { EXPECT_EQ(testing::Findings(Queue(20, 0)), ""); }

TEST(HotLock, AQueueWhoseHolderRuns) {
  EXPECT_EQ(testing::Findings(Queue(8, 0, "", ", runs")),
            "HOT_LOCK certain, may end, for 300 ms | s0 s1 s2 s3 s4 s5 s6 s7 wait | root holder");
}

TEST(HotLock, AQueueWhoseHolderRanSince) {
  EXPECT_EQ(testing::Findings(Queue(8, 0, "", ", ran=2ms")),
            "HOT_LOCK certain, may end, for 300 ms | s0 s1 s2 s3 s4 s5 s6 s7 wait | root holder");
  EXPECT_EQ(testing::Findings(Queue(8, 0, "", ", ran=400ms")), "") << "it grew behind a sleeper";
}

TEST(HotLock, AQueueAtALockThatChangesHands) {
  EXPECT_EQ(
      testing::Findings("lock L: unknown moves\n" + Queue(8, 0).substr(Queue(8, 0).find('\n'))),
      "HOT_LOCK certain, may end, for 300 ms | s0 s1 s2 s3 s4 s5 s6 s7 wait");
}

TEST(HotLock, NotAQueueForEvents) { EXPECT_EQ(testing::Findings(Queue(0, 20, "event")), ""); }

TEST(HotLock, WithAsManyWaitersAsTheUserSays) {
  EXPECT_EQ(testing::Findings(Queue(0, 2), {.hot_lock_waiters = 2}),
            "HOT_LOCK certain, may end, for 50 ms | m0 m1 wait | root holder");
}

TEST(HotLock, IsTheLesserNameOfALongWait) {
  EXPECT_EQ(testing::Findings(Queue(0, 8) + "old: waits L 2s"),
            "LONG_WAIT certain, may end, for 2.0 s | old wait | old>L | root holder"
            " | behind m0 m1 m2 m3 m4 m5 m6 m7");
}

}  // namespace
}  // namespace ct
