// Locks across processes: shared memory, shared address spaces, and owners that are not there.
#include <signal.h>

#include "tests/integration/expect.h"

namespace ct::test {
namespace {

TEST(SharedMemory, OneProcessNamedBothAccused) {
  const Target target("shared_memory");
  target.AwaitAsleep({"left", "right"});
  ExpectAnswer(LookAt(target.pid()), kHang,
               Deadlock({{"left", "mutex", "right", LineOf("shared_memory.cc", "left waits")},
                         {"right", "mutex", "left", LineOf("shared_memory.cc", "right waits")}},
                        "left, right"));
}

TEST(SharedMemory, StoppedMemberIsToldAsSuch) {
  const Target target("shared_memory");
  target.AwaitAsleep({"left", "right"});
  kill(target.Fact("right"), SIGSTOP);
  target.AwaitState("right", 'T');
  ExpectAnswer(LookAt(target.pid()), kHang,
               Lines({"DEADLOCK certain, never ends",
                      Waits({"left", "mutex", "right", LineOf("shared_memory.cc", "left waits")}),
                      Waits({"right", "mutex", "left", LineOf("shared_memory.cc", "right waits")}) +
                          ", stopped",
                      "  ring: left, right"}));
}

TEST(SharedSpace, CloneVm) {
  const Target target("shared_space");
  target.AwaitAsleep({"clone", "keeper"});
  const std::string expected =
      Deadlock({{"clone", "mutex g_table", "keeper", LineOf("shared_space.cc", "clone waits")},
                {"keeper", "mutex g_index", "clone", LineOf("shared_space.cc", "keeper waits")}},
               "clone, keeper");
  ExpectAnswer(LookAt(target.pid()), kHang, expected);
  ExpectAnswer(LookAt(target.Fact("clone")), kHang, expected);
}

// The keeper is a thread of another process and all the same a live owner: nothing is abandoned.
TEST(SharedSpace, Vfork) {
  const Target target("shared_space", {"--vfork"});
  target.AwaitAsleep({"child", "keeper"});
  SleepFor(Milliseconds(300));
  const std::string expected = Lines(
      {"LONG_WAIT certain, may end",
       Waits({"child", "mutex g_table", "keeper", LineOf("shared_space.cc", "child waits")}),
       Waits({"keeper", "mutex g_index", "spawner", LineOf("shared_space.cc", "keeper waits")}),
       "  chain: keeper",
       "  root: spawner uninterruptible in vfork at " +
           LineOf("shared_space.cc", "spawner waits")});
  ExpectAnswer(LookAt(target.pid(), {"--long-wait", "200ms"}), kFindings, expected);
  ExpectAnswer(LookAt(target.ProcessOf("child"), {"--long-wait", "200ms"}), kFindings, expected);
}

std::string Abandoned(const std::string& member) {
  return Lines({"ABANDONED_LOCK certain, never ends", "  " + member});
}

TEST(AbandonedLock, OwnerExited) {
  const Target target("exited_owner");
  target.AwaitAsleep({"waiter"});
  const Answer answer = LookAt(target.pid());
  ExpectAnswer(answer, kHang,
               Abandoned("waiter waits for mutex g_session_mu abandoned: owner exited at " +
                         LineOf("exited_owner.cc", "waiter waits")));
  ASSERT_EQ(answer.snapshot.findings_size(), 1);
  const auto lock = static_cast<int>(answer.snapshot.findings(0).resources(0));
  EXPECT_EQ(answer.snapshot.resources(lock).abandoned_by(), target.Fact("owner"));
}

TEST(AbandonedLock, OwnersTidReused) {
  const Target target(Target::InNewNamespaces({TargetPath("exited_owner"), "--reuse"}));
  target.AwaitAsleep({"waiter"});
  const Answer answer = LookAt(target.ProcessOf("waiter"));
  ExpectAnswer(answer, kHang,
               Abandoned("waiter waits for mutex g_session_mu abandoned: tid reused at " +
                         LineOf("exited_owner.cc", "waiter waits")));
  ASSERT_EQ(answer.snapshot.findings_size(), 1);
  const auto lock = static_cast<int>(answer.snapshot.findings(0).resources(0));
  EXPECT_EQ(answer.snapshot.resources(lock).abandoned_by(), target.Fact("owner"));
}

TEST(AbandonedLock, InheritedAcrossFork) {
  const Target target("fork_inherited");
  target.AwaitAsleep({"child"});
  const std::string expected =
      Abandoned("child waits for mutex g_log_mu abandoned: inherited over fork at " +
                LineOf("fork_inherited.cc", "child waits"));
  ExpectAnswer(LookAt(target.Fact("child")), kHang, expected);
  // The parent's own lock is in order.
  ExpectAnswer(LookAt(target.pid()), kNothing, "");
}

}  // namespace
}  // namespace ct::test
