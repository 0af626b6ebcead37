#include "reader/thread_activity.h"

#include <gtest/gtest.h>

namespace ct {
namespace {

TEST(ThreadActivity, StateBehindAnyName) {
  ThreadActivity activity;
  ParseStat("4242 (a) R (b)) S 1 4242", activity);
  EXPECT_EQ(activity.state, 'S');
  ParseStat("4242 (a", activity);
  ParseStat("", activity);
  ParseStat("4242 (a)", activity);
  EXPECT_EQ(activity.state, 'S');
}

TEST(ThreadActivity, CallWithItsArguments) {
  ThreadActivity activity;
  ParseSyscall("202 0x7f0010 0x189 0x0 0x0 0x0 0xffffffff 0x7ffc0 0x7f1234", activity);
  EXPECT_EQ(activity.syscall, 202);
  EXPECT_EQ(activity.arguments,
            (std::array<std::uint64_t, 6>{0x7f0010, 0x189, 0, 0, 0, 0xffffffff}));
}

TEST(ThreadActivity, NoCall) {
  for (const char* line : {"running", "-1 0x7ffc0 0x7f1234", "", "202 0x1"}) {
    ThreadActivity activity;
    ParseSyscall(line, activity);
    EXPECT_EQ(activity, ThreadActivity{}) << line;
  }
}

TEST(ThreadActivity, TimeOnACpuAndInTheQueue) {
  ThreadActivity activity;
  ParseSchedstat("1234567 89 10", activity);
  EXPECT_EQ(activity.cpu, 1'234'567);
  EXPECT_EQ(activity.queued, 89);
  ParseSchedstat("x", activity);
  EXPECT_EQ(activity.cpu, 1'234'567);
}

}  // namespace
}  // namespace ct
