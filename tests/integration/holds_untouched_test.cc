// Programs behave with probes exactly as without: exceptions and cancellations that leave a probed
// function, libraries that come and go, fork and exec with a lock in hand. And what keeps no
// holder, gets none.
#include <signal.h>

#include <memory>

#include <gmock/gmock.h>

#include "tests/integration/holds.h"

namespace ct::test {
namespace {

using ::testing::HasSubstr;

const Strings kPool{"--pool", kConnectionPool + ";capacity=3"};

struct Twin {
  const char* name;
  Strings command;
  Strings more;
};

void PrintTo(const Twin& twin, std::ostream* stream) { *stream << twin.name; }

class Silent : public testing::TestWithParam<Twin> {};

TEST_P(Silent, WithProbes) {
  const Twin& twin = GetParam();
  const Strings arguments(twin.command.begin() + 1, twin.command.end());
  FollowOptions options;
  options.more = twin.more;
  options.after = std::chrono::seconds(2);
  ExpectSilence(Follow(twin.command[0], arguments, options));
}

INSTANTIATE_TEST_SUITE_P(
    Holds, Silent,
    testing::Values(
        Twin{"busy_pool", {"connection_pool", "--healthy"}, kPool},
        Twin{"busy_pool_of_unknown_size",
             {"connection_pool", "--healthy"},
             {"--pool", kConnectionPool}},
        Twin{"pool_unit_passed_on", {"connection_pool", "--passed-on"}, kPool},
        Twin{"pool_unit_of_an_ended_thread", {"connection_pool", "--leaves"}, kPool},
        Twin{"semaphores_in_order", {"semaphores", "--healthy"}, {}},
        Twin{"signals", {"semaphores", "--signal"}, {}},
        Twin{"signals_ahead", {"semaphores", "--initial"}, {}},
        Twin{"semaphore_given_back", {"semaphores", "--given-back"}, {"--long-hold", "500ms"}},
        Twin{"semaphores_of_one_address", {"semaphores", "--reborn"}, {"--long-hold", "300ms"}},
        Twin{"semaphore_passed_on", {"semaphores", "--passed-on"}, {}},
        Twin{"readers", {"readers", "--healthy"}, {}},
        Twin{"jumps", {"changing_hands", "--jumps"}, {}},
        Twin{"threads", {"changing_hands", "--threads"}, {}},
        Twin{"cancelled", {"cancelled_wait", "--stays"}, {}}),
    [](const auto& info) { return std::string(info.param.name); });

// Whoever posts had it never: those who wait, wait for nobody.
TEST(Signals, HaveNoHolder) {
  for (const char* option : {"--signal", "--initial"}) {
    const Followed followed = Follow("semaphores", {option});
    const v1::Snapshot& snapshot = followed.answer.snapshot;
    for (const v1::Hold& hold : snapshot.holds()) {
      const v1::Resource& resource = snapshot.resources(static_cast<int>(hold.resource()));
      EXPECT_NE(Text(snapshot, resource.symbol()), "g_items") << option;
    }
  }
}

// What it says until its end, and how it ends.
struct WholeRun {
  std::string output;
  int status = -1;
  Followed followed;
};

WholeRun Untraced(const std::string& program, const Strings& arguments) {
  Strings command{TargetPath(program)};
  command.insert(command.end(), arguments.begin(), arguments.end());
  Child child(command);
  child.ReadUntil("READY", std::chrono::seconds(30));
  child.Signal(SIGUSR1);
  WholeRun run;
  run.status = ExitStatusOf(child.Wait(std::chrono::seconds(60)));
  run.output = child.output();
  return run;
}

WholeRun Traced(const std::string& program, const Strings& arguments, const Strings& more) {
  Strings command{TargetPath(program)};
  command.insert(command.end(), arguments.begin(), arguments.end());
  Child child(command);
  child.ReadUntil("READY", std::chrono::seconds(30));
  HoldTrace trace(child.pid(), more);
  child.Signal(SIGUSR1);
  WholeRun run;
  run.status = ExitStatusOf(child.Wait(std::chrono::seconds(60)));
  run.output = child.output();
  run.followed.answer = trace.Await();
  run.followed.text = trace.text();
  run.followed.said = trace.said();
  return run;
}

class Untouched : public testing::TestWithParam<Twin> {};

TEST_P(Untouched, EndsAsItWouldHave) {
  const Twin& twin = GetParam();
  const Strings arguments(twin.command.begin() + 1, twin.command.end());
  const WholeRun without = Untraced(twin.command[0], arguments);
  const WholeRun with = Traced(twin.command[0], arguments, twin.more);
  EXPECT_EQ(without.status, 0) << without.output;
  EXPECT_EQ(with.output, without.output);
  EXPECT_EQ(with.status, without.status);
  EXPECT_EQ(with.followed.answer.findings, "") << with.followed.text;
  EXPECT_THAT(with.followed.said, HasSubstr("has ended"));
}

INSTANTIATE_TEST_SUITE_P(
    Holds, Untouched,
    testing::Values(Twin{"acquire_throws", {"connection_pool", "--timeout"}, kPool},
                    Twin{"wait_is_cancelled", {"cancelled_wait"}, {}},
                    Twin{"libraries_come_and_go",
                         {"plugin_host", "--closes"},
                         {"--pool", "libplugin.so:plugin::SlotPool::take,plugin::SlotPool::give"}}),
    [](const auto& info) { return std::string(info.param.name); });

// Nothing that failed counts as had: all three came back.
TEST(PoolTimeouts, LeaveNothingBehind) {
  Target target("connection_pool", {"--timeout"});
  HoldTrace trace(target.pid(), kPool);
  target.Signal(SIGUSR1);
  target.Await("DONE");
  const Answer answer = trace.Await();
  EXPECT_EQ(target.Fact("timeouts"), 40);
  EXPECT_EQ(answer.findings, "") << trace.text();
  for (const v1::ResourceHolds& row : answer.snapshot.resource_holds()) {
    const v1::Resource& resource = answer.snapshot.resources(static_cast<int>(row.resource()));
    if (resource.kind() != v1::RESOURCE_KIND_POOL) continue;
    EXPECT_EQ(row.holds().holds(), 6U);
    EXPECT_EQ(resource.in_use(), 0U);
    EXPECT_EQ(resource.high_water(), 3U);
  }
}

// The child has other memory, and is none of those that were asked for.
TEST(Fork, WithALockInHand) {
  Target target("changing_hands", {"--forks"});
  const Followed followed = Follow(target);
  ExpectSilence(followed);
  EXPECT_EQ(target.Fact("child"), 0);
}

TEST(Exec, WithALockInHand) {
  const Followed followed = Follow("changing_hands", {"--execs"});
  EXPECT_EQ(followed.answer.findings, "") << followed.text;
  EXPECT_EQ(followed.answer.relevant_losses, Strings{});
}

// The one who looks is killed: nothing stays behind, and the target goes on.
TEST(Probes, GoWithTheTracer) {
  Target target("connection_pool", {"--healthy"});
  {
    HoldTrace trace(target.pid(), kPool);
    target.Signal(SIGUSR1);
    target.Await("DONE");
    SleepFor(Milliseconds(200));
    trace.child().Signal(SIGKILL);
    trace.child().Wait(std::chrono::seconds(10));
  }
  const auto before = SwitchesOf(target.pid());
  SleepFor(Milliseconds(300));
  EXPECT_NE(SwitchesOf(target.pid()), before);
  // A second one finds its places free.
  HoldTrace again(target.pid(), kPool);
  SleepFor(Milliseconds(500));
  const Answer answer = again.Stop();
  EXPECT_EQ(answer.findings, "");
  EXPECT_EQ(answer.run.status, kNothing) << answer.run.error;
}

// Another process with the pid of one that has ended with a lock in hand: it has nothing of that.
TEST(ReusedPid, IsAnotherProcess) {
  const TempDir directory;
  const Strings command{TargetPath("long_hold"), "--keeps"};
  auto first = std::make_unique<Target>(command, SpawnOptions{});
  const pid_t pid = first->pid();
  Child trace({TracerPath(), "--holds", "--comm", "long_hold", "-i", "50ms", "--max-overhead",
               "100", "-o", directory.File("last.pb")},
              {directory.path(), {}});
  const std::string armed = "following acquires and releases of process " + std::to_string(pid);
  trace.ReadUntilError(armed, std::chrono::seconds(20));
  first->Signal(SIGUSR1);
  trace.ReadUntilOutput("\nLONG_HOLD", std::chrono::seconds(20));
  trace.ForgetSaid();
  first.reset();

  SpawnOptions same_pid;
  same_pid.as_pid = pid;
  const Target second(command, same_pid);
  ASSERT_EQ(second.pid(), pid);
  trace.ReadUntilError(armed, std::chrono::seconds(20));
  trace.ForgetSaid();
  second.Signal(SIGUSR1);
  trace.ReadUntilOutput("\nLONG_HOLD", std::chrono::seconds(20));
  trace.Signal(SIGINT);
  EXPECT_EQ(ExitStatusOf(trace.Wait(std::chrono::seconds(30))), kFindings) << trace.error();
  const Answer answer = AnswerOf(RunTracer({"show", "--json", directory.File("last.pb")}));
  ASSERT_EQ(answer.snapshot.long_holds_size(), 1) << answer.run.output;
  EXPECT_EQ(answer.snapshot.long_holds(0).thread().tid(), second.ThreadOf("cache"));
  EXPECT_EQ(answer.relevant_losses, Strings{});
}

}  // namespace
}  // namespace ct::test
