// LONG_WAIT: the chain of locks to its root, and what the root does.
#include <signal.h>

#include <regex>

#include <sys/ptrace.h>
#include <sys/wait.h>

#include "tests/integration/expect.h"

namespace ct::test {
namespace {

const Strings kLongWait{"--long-wait", "200ms"};
constexpr Milliseconds kLonger{300};

std::string ThreeInAChain(const std::string& root) {
  return Lines(
      {"LONG_WAIT certain, may end",
       Waits({"front", "mutex g_session_mu", "middle", LineOf("chain.cc", "front waits")}),
       Waits({"middle", "mutex g_connection_mu", "root", LineOf("chain.cc", "middle waits")}),
       "  chain: front, middle", "  root: root " + root});
}

Answer LookAtChain(const Target& target) {
  target.AwaitAsleep({"front", "middle"});
  SleepFor(kLonger);
  return LookAt(target.pid(), kLongWait);
}

TEST(Chain, RootReadsASocket) {
  const Target target("chain", {"--reads"});
  const Answer answer = LookAtChain(target);
  ExpectAnswer(answer, kFindings,
               ThreeInAChain("sleeping in read at " + LineOf("chain.cc", "root reads")));
  ASSERT_EQ(answer.snapshot.findings_size(), 1);
  const auto root = static_cast<int>(answer.snapshot.findings(0).root());
  const std::string object = Text(answer.snapshot, answer.snapshot.actors(root).syscall().object());
  EXPECT_NE(object.find("socket"), std::string::npos) << object;
}

TEST(Chain, RootSleeps) {
  const Target target("chain", {"--sleeps"});
  ExpectAnswer(
      LookAtChain(target), kFindings,
      ThreeInAChain("sleeping in clock_nanosleep at " + LineOf("chain.cc", "root sleeps")));
}

TEST(Chain, RootInUninterruptibleSleepWithItsKernelStack) {
  const Target target("chain", {"--vfork"});
  target.AwaitState("root", 'D');
  const Answer answer = LookAtChain(target);
  ExpectAnswer(answer, kFindings,
               ThreeInAChain("uninterruptible in vfork at " + LineOf("chain.cc", "root is in D")));
  ASSERT_EQ(answer.snapshot.findings_size(), 1);
  const auto root = static_cast<int>(answer.snapshot.findings(0).root());
  EXPECT_TRUE(answer.snapshot.actors(root).has_kernel_stack());
}

// Where a thread on CPU is cannot be read for sure, and whether it has the CPU just now is chance.
TEST(Chain, RootComputes) {
  const Target target("chain", {"--spins"});
  Answer answer = LookAtChain(target);
  answer.findings = std::regex_replace(
      answer.findings, std::regex("root (running|runnable) at [^\n]*"), "root on or near a CPU");
  ExpectAnswer(answer, kFindings, ThreeInAChain("on or near a CPU"));
}

TEST(Chain, AShortWaitIsNoFinding) {
  const Target target("chain", {"--sleeps"});
  target.AwaitAsleep({"front", "middle"});
  ExpectAnswer(LookAt(target.pid(), {"--long-wait", "1h"}), kNothing, "");
}

// Process "left", which is named, waits for a lock that process "right" holds.
class HolderInAnotherProcess : public testing::Test {
 protected:
  static std::string Expected(const std::string& root) {
    return Lines({"LONG_WAIT certain, may end",
                  Waits({"left", "mutex", "right", LineOf("shared_memory.cc", "left waits")}),
                  "  chain: left", "  root: right " + root});
  }
  static std::string Sleeps() { return LineOf("shared_memory.cc", "right sleeps"); }
  static Answer LookAtLeft(const Target& target) {
    target.AwaitAsleep({"left"});
    SleepFor(kLonger);
    return LookAt(target.pid(), kLongWait);
  }
};

TEST_F(HolderInAnotherProcess, Sleeps) {
  const Target target("shared_memory", {"--hold"});
  ExpectAnswer(LookAtLeft(target), kFindings, Expected("sleeping in pause at " + Sleeps()));
}

TEST_F(HolderInAnotherProcess, Stopped) {
  const Target target("shared_memory", {"--hold"});
  target.AwaitAsleep({"left"});
  kill(target.Fact("right"), SIGSTOP);
  target.AwaitState("right", 'T');
  ExpectAnswer(LookAtLeft(target), kFindings, Expected("stopped in pause at " + Sleeps()));
}

TEST_F(HolderInAnotherProcess, InADebugger) {
  const Target target("shared_memory", {"--hold"});
  target.AwaitAsleep({"left"});
  const pid_t right = target.Fact("right");
  ASSERT_EQ(ptrace(PTRACE_SEIZE, right, 0, 0), 0);
  ASSERT_EQ(ptrace(PTRACE_INTERRUPT, right, 0, 0), 0);
  ASSERT_EQ(waitpid(right, nullptr, __WALL), right);
  ExpectAnswer(LookAtLeft(target), kFindings, Expected("traced in pause at " + Sleeps()));
  ptrace(PTRACE_DETACH, right, 0, 0);
}

TEST_F(HolderInAnotherProcess, Frozen) {
  const Target target("shared_memory", {"--hold"});
  target.AwaitAsleep({"left"});
  const FrozenGroup group(target.Fact("right"));
  ExpectAnswer(LookAtLeft(target), kFindings, Expected("frozen in pause at " + Sleeps()));
}

TEST_F(HolderInAnotherProcess, OutOfCpuQuota) {
  const Target target("shared_memory", {"--hold-spin"});
  const ThrottledGroup group(target.Fact("right"));
  Answer answer = LookAtLeft(target);
  answer.findings =
      std::regex_replace(answer.findings, std::regex("throttled at [^\n]*"), "throttled");
  ExpectAnswer(answer, kFindings, Expected("throttled"));
}

}  // namespace
}  // namespace ct::test
