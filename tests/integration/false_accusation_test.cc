// What looks like a deadlock and is none, and what cannot be read.
#include "tests/integration/expect.h"

namespace ct::test {
namespace {

// Read naively, malloc's arena lock is a mutex owned by thread 1, which waits for the accused.
TEST(FalseAccusation, MallocArenaWhereThread1Lives) {
  const Target target(Target::InNewNamespaces({TargetPath("malloc_arena")}));
  target.AwaitAsleep({"main", "worker"});
  SleepFor(Milliseconds(300));
  const pid_t pid = target.ProcessOf("worker");
  const Answer answer = LookAt(pid, {"--long-wait", "200ms"});
  ASSERT_EQ(ProcessRow(answer, pid).ns_pid(), 1);
  for (const v1::Finding& finding : answer.snapshot.findings()) {
    EXPECT_EQ(finding.kind(), v1::FINDING_KIND_LONG_WAIT) << answer.findings;
  }
  EXPECT_EQ(DescribeWaits(answer, pid),
            Lines({"main: mutex, glibc", "worker: malloc arena, glibc"}));
  for (const v1::Hold& hold : answer.snapshot.holds()) {
    const v1::Resource& lock = answer.snapshot.resources(static_cast<int>(hold.resource()));
    EXPECT_NE(lock.kind(), v1::RESOURCE_KIND_MALLOC_ARENA) << "nobody can know who holds it";
  }
  EXPECT_EQ(answer.run.status, kFindings) << answer.run.error;
}

TEST(FalseAccusation, IdleIsNotContention) {
  const Target target("idle_pool");
  target.AwaitAsleep(Strings(16, "worker"));
  SleepFor(Milliseconds(300));
  const Answer answer = LookAt(target.pid(), {"--long-wait", "100ms"});
  ExpectAnswer(answer, kNothing, "");
  EXPECT_EQ(ProcessRow(answer, target.pid()).verdict(), v1::VERDICT_IDLE);
}

TEST(FalseAccusation, ThirtyTwoThreadsOverOneMutexAreAHotLock) {
  const Target target("hot_lock");
  SleepFor(Milliseconds(500));
  // On a busy machine the whole queue may have passed between the two sweeps of one look.
  Answer answer = LookAt(target.pid());
  for (int look = 1; look < 3 && answer.snapshot.findings_size() == 0; ++look) {
    answer = LookAt(target.pid());
  }
  ASSERT_EQ(answer.snapshot.findings_size(), 1) << answer.findings;
  EXPECT_EQ(answer.snapshot.findings(0).kind(), v1::FINDING_KIND_HOT_LOCK);
  EXPECT_EQ(answer.snapshot.findings(0).ending(), v1::ENDING_MAY_END);
  EXPECT_GE(answer.snapshot.findings(0).members_size(), 8);
  ASSERT_EQ(answer.snapshot.findings(0).resources_size(), 1);
  const auto lock = static_cast<int>(answer.snapshot.findings(0).resources(0));
  EXPECT_EQ(Text(answer.snapshot, answer.snapshot.resources(lock).symbol()), "g_counter_mu");
  EXPECT_EQ(answer.run.status, kFindings);
}

// Whoever reads a page that nobody serves sleeps until it is killed: the answer comes in time all
// the same, and says what is missing.
constexpr double kInTimeSeconds = 5;

TEST(Unreadable, LocksOnUserfaultfd) {
  const Target target("userfault", {"--locks"});
  const Answer answer = LookAt(target.pid());
  EXPECT_EQ(answer.findings, "");
  EXPECT_EQ(answer.run.status, kNotSeen) << answer.run.error;
  EXPECT_FALSE(answer.relevant_losses.empty());
  EXPECT_LT(answer.run.seconds, kInTimeSeconds);
}

// The locks can be read, one of the two stacks cannot: what its thread waits for is not certain, so
// the deadlock is not either. (That the other one waits for it is.)
TEST(Unreadable, AStackOnUserfaultfd) {
  const Target target("userfault", {"--stack"});
  const Answer answer = LookAt(target.pid(), {"--long-wait", "1h"});
  EXPECT_EQ(answer.findings.find("DEADLOCK certain"), std::string::npos) << answer.findings;
  EXPECT_TRUE(answer.run.status == kNotSeen || answer.run.status == kHang) << answer.run.status;
  EXPECT_FALSE(answer.relevant_losses.empty());
  EXPECT_LT(answer.run.seconds, kInTimeSeconds);
}

TEST(Unreadable, OneSickProcessDoesNotHideAnother) {
  const Target sick("userfault", {"--locks"});
  const Target hung("abba");
  hung.AwaitAsleep({"audit", "io"});
  const Answer answer = Look({"-p", std::to_string(sick.pid()) + "," + std::to_string(hung.pid())});
  EXPECT_EQ(answer.findings,
            Deadlock({{"audit", "mutex g_ledger_mu", "io", LineOf("abba.cc", "audit waits")},
                      {"io", "mutex g_account_mu", "audit", LineOf("abba.cc", "io waits")}},
                     "audit, io"));
  EXPECT_EQ(answer.run.status, kHang);
  EXPECT_FALSE(answer.relevant_losses.empty());
  EXPECT_LT(answer.run.seconds, kInTimeSeconds);
}

}  // namespace
}  // namespace ct::test
