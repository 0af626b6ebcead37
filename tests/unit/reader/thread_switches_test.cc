#include "reader/thread_switches.h"

#include <sstream>

#include <gtest/gtest.h>

namespace ct {
namespace {

std::optional<ThreadSwitch> Parse(const std::string& text) {
  std::istringstream status(text);
  return ParseThreadStatus(4243, status);
}

constexpr const char* kSleeps =
    "Name:\tR (running)\nState:\tS (sleeping)\nPid:\t4243\nNSpid:\t4243\t7\n"
    "voluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t4\n";

TEST(ThreadSwitches, AreBothKindsAndOfTheInnermostNamespace) {
  EXPECT_EQ(Parse(kSleeps), (ThreadSwitch{4243, 7, 154, true, {}}));
}

TEST(ThreadSwitches, TellWhoRuns) {
  std::string text = kSleeps;
  text.replace(text.find("S (sleeping)"), 12, "R (running)");
  EXPECT_EQ(Parse(text), (ThreadSwitch{4243, 7, 154, false, {}}));
}

TEST(ThreadSwitches, AreNotMadeUp) {
  EXPECT_FALSE(Parse(""));
  EXPECT_FALSE(Parse("State:\tS (sleeping)\nNSpid:\t\nvoluntary_ctxt_switches:\tx\n"));
}

TEST(ThreadSwitches, TellTheFutexThatAThreadSleepsOn) {
  // sem_wait() of glibc 2.36: FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME.
  EXPECT_EQ(ParseFutexSleep("202 0x7f0010 0x189 0x0 0x0 0x0 0xffffffff 0x7ffc0 0x7f1234"),
            (FutexSleep{0x7f0010, 0, false}));
  EXPECT_EQ(ParseFutexSleep("202 0x7f0010 0x89 0x0 0x7ffd8 0x0 0xffffffff 0x7ffc0 0x7f1234"),
            (FutexSleep{0x7f0010, 0x7ffd8, true}));
  EXPECT_EQ(ParseFutexSleep("202 0x7f0010 0x80 0x2 0x7ffd8 0x0 0x0 0x7ffc0 0x7f1234"),
            (FutexSleep{0x7f0010, 0x7ffd8, false}));
  for (const char* const line :
       {"", "running", "-1 0x7ffc0 0x7f1234", "202 0x7f0010", "202 0x7f0010 0x1 0x1 0x0 0x0",
        "202 0xzz 0x0 0x0 0x0 0x0", "232 0x4 0x80 0x0 0x0 0x0 0x0 0x7ffc0 0x7f1234"}) {
    EXPECT_FALSE(ParseFutexSleep(line)) << line;
  }
}

TEST(ThreadSwitches, SayWhoSleptThroughTheReading) {
  PythonProcess process;
  process.threads.resize(4);
  for (int i = 0; i < 4; ++i) process.threads[static_cast<std::size_t>(i)].native_id = i + 1;
  const ThreadSwitches before = {
      {1, {101, 1, 5, true, {}}}, {2, {102, 2, 5, true, {}}}, {3, {103, 3, 5, false, {}}}};
  ThreadSwitches after = before;
  after[2].switches = 6;
  after[4] = {104, 4, 5, true, {}};
  NoteWhoSlept(before, after, process);
  EXPECT_TRUE(process.threads[0].asleep);
  EXPECT_EQ(process.threads[0].host_tid, 101);
  EXPECT_FALSE(process.threads[1].asleep);  // ran
  EXPECT_FALSE(process.threads[2].asleep);  // runs
  EXPECT_FALSE(process.threads[3].asleep);  // was not there before
  EXPECT_TRUE(HaveLoopsSlept(process));
  process.threads[0].running_loop = 1;
  EXPECT_TRUE(HaveLoopsSlept(process));
  process.threads[1].running_loop = 1;
  EXPECT_FALSE(HaveLoopsSlept(process));
}

}  // namespace
}  // namespace ct
