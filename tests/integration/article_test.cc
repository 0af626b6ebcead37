// The cases of the guide that the project started from, each as a program of its own: what it tells
// its reader to find by hand, or by code inside the service, is named here with nothing installed.
#include <signal.h>

#include <cstdlib>

#include <gmock/gmock.h>

#include "tests/integration/expect.h"
#include "tests/integration/harness.h"

namespace ct::test {
namespace {

using testing::HasSubstr;

Strings Program(const std::string& name, const Strings& options = {}) {
  Strings command = {CT_PYTHON, "-B", SourcePath("article/" + name + ".py")};
  command.insert(command.end(), options.begin(), options.end());
  return command;
}

// "timeouts.py:9".
std::string Place(const std::string& name, const std::string& mark) {
  return LineOf("article/" + name + ".py", mark).substr(sizeof("article"));
}

Answer TasksOf(pid_t pid, const Strings& more = {}) {
  Strings arguments = {"tasks", "-p", std::to_string(pid), "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return AnswerOf(RunTracer(arguments));
}

// Of a trace of what the program does from SIGUSR1 to DONE.
Answer TraceOf(Child& target) {
  const TempDir directory;
  Child trace({TracerPath(), "-p", std::to_string(target.pid()), "-o", directory.File("last.pb")},
              {directory.path(), {}});
  trace.ReadUntilError("timing event loops by", std::chrono::seconds(20));
  target.Signal(SIGUSR1);
  target.ReadUntil("DONE", std::chrono::seconds(30));
  trace.Signal(SIGINT);
  trace.Wait(std::chrono::seconds(30));
  return AnswerOf(RunTracer({"show", "--json", directory.File("last.pb")}));
}

void ExpectSilence(const Strings& command, const Strings& more = {}) {
  const Target target(command);
  for (int look = 0; look < 20; ++look) {
    ExpectAnswer(TasksOf(target.pid(), more), kNothing, "");
    SleepFor(Milliseconds(3 + look % 5));
  }
}

TEST(Article, ASemaphoreThatIsTakenTwice) {
  const std::string name = "semaphore_taken_twice";
  const Target target(Program(name));
  ExpectAnswer(
      TasksOf(target.pid()), kHang,
      Lines({"PROBABLE_DEADLOCK probable, never ends",
             Waits({"refresh", "semaphore", "probably refresh", Place(name, "takes it again")}),
             "  ring: refresh", "  behind: Task-1"}));
}

// The incident.
TEST(Article, APoolThatIsTakenTwice) {
  const Target target(Program("pool_taken_twice"));
  const Answer answer = TasksOf(target.pid());
  EXPECT_EQ(answer.run.status, kHang) << answer.run.error;
  ASSERT_EQ(answer.snapshot.findings_size(), 1);
  EXPECT_EQ(answer.snapshot.findings(0).kind(), v1::FINDING_KIND_DEADLOCK);
  EXPECT_EQ(answer.snapshot.findings(0).evidence(), v1::EVIDENCE_CERTAIN);
  const std::string text = RunTracer({"tasks", "-p", std::to_string(target.pid())}).output;
  EXPECT_THAT(text, HasSubstr("DEADLOCK  __main__.ConnectionPool 2/2: all 2 holders wait for it"));
  // Where the program asks, not the lines of its pool.
  EXPECT_THAT(text, HasSubstr("  2 x refresh\n      holds a unit       refresh_prices  " +
                              Place("pool_taken_twice", "while it holds one") +
                              "\n      waits for another  rates           " +
                              Place("pool_taken_twice", "asks for another") + "\n"));
  EXPECT_THAT(text, HasSubstr("queued, holding nothing:  5 x request  handle  " +
                              Place("pool_taken_twice", "queues") + "\n"));
  EXPECT_THAT(text, HasSubstr("Will not end by itself."));
}

TEST(Article, APoolThatIsTakenTwiceWithATimeout) {
  const Target target(Program("pool_taken_twice", {"--timeout"}));
  const Answer answer = TasksOf(target.pid());
  EXPECT_EQ(answer.run.status, kFindings) << answer.run.error;
  ASSERT_EQ(answer.snapshot.findings_size(), 1);
  EXPECT_EQ(answer.snapshot.findings(0).ending(), v1::ENDING_TIMEOUT);
}

TEST(Article, ASlowTaskIsNotStuck) { ExpectSilence(Program("slow_is_not_stuck")); }

TEST(Article, TimeoutsAreShown) {
  const Target target(Program("timeouts"));
  const Outcome tasks = RunTracer({"tasks", "-p", std::to_string(target.pid())});
  EXPECT_EQ(tasks.status, kNothing) << tasks.error;
  // Of the operation of 900 s it is the limit of 600 s that comes first.
  EXPECT_THAT(tasks.output, HasSubstr("1 ends in 4m5"));
  EXPECT_THAT(tasks.output, HasSubstr("1 ends in 6m3"));
  EXPECT_THAT(tasks.output, HasSubstr("1 ends in 9m5"));
}

TEST(Article, AnExceptionThatNobodyHears) {
  const std::string name = "silent_exception";
  const Target target(Program(name));
  ExpectAnswer(TasksOf(target.pid()), kFindings,
               Lines({"SWALLOWED_EXCEPTION certain, may end",
                      "  task sync-stock: ConnectionResetError 'stock: connection reset by peer' "
                      "at " +
                          Place(name, "fails") + "; __main__.background has it"}));
  ExpectSilence(Program(name, {"--retrieved"}));
}

TEST(Article, AnAwaitThatWasForgotten) {
  const std::string name = "forgotten_await";
  const Target target(Program(name));
  ExpectAnswer(TasksOf(target.pid()), kFindings,
               Lines({"NEVER_AWAITED probable, may end",
                      "  3 at " + Place(name, "made") + "; __main__.pending has it"}));
  ExpectSilence(Program(name, {"--awaited"}));
}

TEST(Article, AThreadLocalInTasks) {
  const std::string name = "thread_local_in_tasks";
  const Target target(Program(name));
  const Outcome found = RunTracer({"tasks", "-p", std::to_string(target.pid())});
  EXPECT_EQ(found.status, kFindings) << found.error;
  EXPECT_THAT(found.output, HasSubstr("THREAD_LOCAL_IN_TASKS  2 tasks, 1 object   probable\n"));
  EXPECT_THAT(found.output, HasSubstr("has stored L1.user  in handle  " +
                                      Place(name, "others run") + ", reads it at line "));
  ExpectSilence(Program(name, {"--contextvars"}));
}

TEST(Article, AnObjectThatTwoThreadsUse) {
  const std::string name = "shared_object";
  const Strings cart = {"--exclusive-class", "__main__.Cart"};
  const Target target(Program(name));
  const Outcome found = RunTracer({"tasks", "-p", std::to_string(target.pid()), cart[0], cart[1]});
  EXPECT_EQ(found.status, kFindings) << found.error;
  EXPECT_THAT(found.output, HasSubstr("SHARED_OBJECT  2 threads, 1 object   "));
  EXPECT_THAT(found.output, HasSubstr("is inside L1  in Cart.add  " +
                                      Place(name, "between its reading and its writing")));
  ExpectSilence(Program(name, {"--locked"}), cart);
}

// Beside it what asyncio's own debug mode reports of the same three calls.
TEST(Article, ABlockedLoop) {
  const std::string name = "blocked_loop";
  SpawnOptions debug;
  debug.before_exec = [] { setenv("PYTHONASYNCIODEBUG", "1", 1); };
  Child target(Program(name), debug);
  target.ReadUntil("READY", std::chrono::seconds(30));
  const Answer answer = TraceOf(target);
  EXPECT_EQ(answer.run.status, kFindings) << answer.run.error;
  EXPECT_EQ(answer.relevant_losses, Strings{});
  ASSERT_EQ(answer.snapshot.event_loops_size(), 1);
  EXPECT_EQ(answer.snapshot.event_loops(0).slow(), 3U);
  ASSERT_EQ(answer.snapshot.findings_size(), 1) << answer.findings;
  EXPECT_THAT(answer.findings, HasSubstr("EVENT_LOOP_BLOCKED "));
  EXPECT_THAT(answer.findings, HasSubstr(" x syscall 'clock_nanosleep' at " +
                                         Place(name, "blocks") + " in task report"));
  target.Signal(SIGKILL);
  target.Wait(std::chrono::seconds(10));
  // "Executing <Task finished name='report' coro=<fetch_report() done, ...> took 0.151 seconds"
  int reported = 0;
  for (const std::string& line : SplitLines(target.error())) {
    if (line.starts_with("Executing <Task finished name='report'")) ++reported;
  }
  EXPECT_EQ(reported, 3) << target.error();
}

TEST(Article, ALoopThatAwaitsIsNotBlocked) {
  Child target(Program("blocked_loop", {"--awaited"}));
  target.ReadUntil("READY", std::chrono::seconds(30));
  ExpectAnswer(TraceOf(target), kNothing, "");
}

// Nobody waits for anybody, so nobody is accused of that. Which updates are lost is not found yet.
TEST(Article, LostUpdatesAreNoDeadlock) {
  ExpectSilence(Program("lost_updates"));
  ExpectSilence(Program("lost_updates", {"--locked"}));
}

}  // namespace
}  // namespace ct::test
