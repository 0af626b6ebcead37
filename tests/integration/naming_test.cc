// Waits that are no locks, or that keep no owner, have their right names (snapshot --all).
#include "tests/integration/expect.h"

namespace ct::test {
namespace {

TEST(Naming, EveryWayToBeIdle) {
  const Target target("idle");
  target.AwaitAsleep(
      {"atomic", "barrier", "condition", "future", "join", "latch", "semaphore", "tokens"});
  const Answer answer = LookAt(target.pid(), {"--all"});
  ExpectAnswer(answer, kNothing, "");
  EXPECT_EQ(DescribeWaits(answer, target.pid()),
            Lines({"atomic: atomic wait, libstdcxx", "barrier: barrier, glibc",
                   "condition: condition, glibc", "future: future, libstdcxx",
                   "join: thread exit, glibc", "latch: atomic wait, libstdcxx",
                   "semaphore: semaphore, glibc", "tokens: atomic wait, libstdcxx"}));
}

TEST(Naming, InitializersThatRunElsewhere) {
  const Target target("initializing");
  target.AwaitAsleep({"guard", "once"});
  const Answer answer = LookAt(target.pid(), {"--all"});
  ExpectAnswer(answer, kNothing, "");
  EXPECT_EQ(DescribeWaits(answer, target.pid()),
            Lines({"guard: once, libstdcxx", "once: once, glibc"}));
}

TEST(Naming, RustMutex) {
  const Target target("rust_abba");
  target.AwaitAsleep({"audit", "io", "rust_abba"});
  const Answer answer = LookAt(target.pid(), {"--all"});
  EXPECT_EQ(
      DescribeWaits(answer, target.pid()),
      Lines({"audit: mutex, rust std", "io: mutex, rust std", "rust_abba: thread exit, glibc"}));
}

// All waits of the process that are told are of one kind.
void ExpectOnly(const Answer& answer, pid_t pid, const std::string& kind) {
  const Strings waits = SplitLines(DescribeWaits(answer, pid));
  EXPECT_FALSE(waits.empty());
  for (const std::string& wait : waits) EXPECT_TRUE(wait.ends_with(": " + kind)) << wait;
}

TEST(Naming, ParkedThreadsOfGo) {
  const Target target("go_idle");
  SleepFor(Milliseconds(200));
  const Answer answer = LookAt(target.pid(), {"--all"});
  ExpectAnswer(answer, kNothing, "");
  ExpectOnly(answer, target.pid(), "park, go");
}

TEST(Naming, ParkedThreadsOfAJvm) {
  const Target target(Strings{"java", "-Xshare:auto", "-cp", CT_TARGETS_DIR, "JvmPool"});
  SleepFor(Milliseconds(500));
  const Answer answer = LookAt(target.pid(), {"--all"});
  ExpectAnswer(answer, kNothing, "");
  int parked = 0;
  for (const std::string& wait : SplitLines(DescribeWaits(answer, target.pid()))) {
    parked += wait.starts_with("pool-1-thread-") && wait.ends_with(": park, jvm") ? 1 : 0;
  }
  EXPECT_EQ(parked, 16) << DescribeWaits(answer, target.pid());
}

}  // namespace
}  // namespace ct::test
