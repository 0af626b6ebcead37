#include "observe/tid_set.h"

#include <gtest/gtest.h>

namespace ct {
namespace {

TEST(TidSet, KnowsWhatWasInserted) {
  TidSet set;
  EXPECT_TRUE(set.Insert(100));
  EXPECT_TRUE(set.Insert(99));
  EXPECT_TRUE(set.Insert(4'194'303));
  EXPECT_FALSE(set.Insert(100));
  EXPECT_FALSE(set.Insert(99));
  EXPECT_FALSE(set.Insert(4'194'303));
  EXPECT_TRUE(set.Insert(101));
}

TEST(TidSet, ForgetsAllWhenCleared) {
  TidSet set;
  set.Insert(100);
  set.Clear();
  EXPECT_TRUE(set.Insert(100));
}

TEST(TidSet, NeverHoldsWhatIsNoTid) {
  TidSet set;
  for (const pid_t tid : {-1, 1 << 22, 0x7fffffff}) {
    EXPECT_TRUE(set.Insert(tid)) << tid;
    EXPECT_TRUE(set.Insert(tid)) << tid;
  }
}

}  // namespace
}  // namespace ct
