// A trace that follows waits as they happen: who was given a lock that keeps no owner, and the
// table in its files.
#include <signal.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/expect.h"

namespace ct::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Traces a target until it is stopped.
class TracedTarget {
 public:
  TracedTarget(const std::string& name, const Strings& options)
      : target(name, options),
        child({TracerPath(), "-p", std::to_string(target.pid()), "--waits", "-i", "50ms",
               "--max-overhead", "100", "--long-wait", "500ms", "-o", directory_.File("last.pb")},
              {directory_.path(), {}}) {
    child.ReadUntilError("counting waits by", std::chrono::seconds(20));
    target.Signal(SIGUSR1);
  }

  // What its file says.
  Answer Stop() {
    child.Signal(SIGINT);
    child.Wait(std::chrono::seconds(30));
    return AnswerOf(RunTracer({"show", "--json", directory_.File("last.pb")}));
  }

 private:
  TempDir directory_;

 public:
  Target target;
  Child child;
};

TEST(TraceWaits, NamesWhoWasGivenASemaphore) {
  TracedTarget traced("baton", {});
  traced.child.ReadUntil("  Will not end by itself. Take these locks in one order everywhere.",
                         std::chrono::seconds(30));
  const Answer answer = traced.Stop();
  EXPECT_EQ(answer.findings,
            Lines({"PROBABLE_DEADLOCK probable, never ends",
                   "  clerk waits for mutex g_ledger_mu held by ledger at " +
                       LineOf("baton.cc", "clerk waits"),
                   "  ledger waits for semaphore g_baton held by probably clerk at " +
                       LineOf("baton.cc", "ledger waits"),
                   "  ring: clerk, ledger"}));
  EXPECT_EQ(answer.run.status, kHang);
  EXPECT_EQ(answer.relevant_losses, Strings{});
  // The table is in the file, beside the finding.
  ASSERT_GT(answer.snapshot.lock_contention_size(), 0);
  const v1::LockContention& row = answer.snapshot.lock_contention(0);
  EXPECT_GE(row.waits().waits(), 10U);
  EXPECT_GT(row.releasers_size(), 0);
}

TEST(TraceWaits, OfAKeeperThatOnlyWorksForLongIsNoDeadlock) {
  TracedTarget traced("baton", {"--healthy"});
  traced.target.Await("DONE");
  traced.Stop();
  const std::string& said = traced.child.output();
  EXPECT_THAT(said, Not(HasSubstr("DEADLOCK")));
  EXPECT_THAT(said, HasSubstr("LONG_WAIT"));
  EXPECT_THAT(said, HasSubstr("held by clerk"));
  EXPECT_THAT(said, HasSubstr("CONTENTION"));
}

}  // namespace
}  // namespace ct::test
