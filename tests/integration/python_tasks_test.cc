// Tasks of real interpreters that wait for each other: the whole answer, by reading alone and with
// the sweep; and that the same program going on is never accused.
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <regex>

#include <gmock/gmock.h>
#include <sys/ptrace.h>
#include <sys/stat.h>

#include "tests/integration/expect.h"
#include "tests/integration/python_programs.h"

namespace ct::test {
namespace {

using testing::HasSubstr;

// READY on the loop that is stuck, with a ticker on it that wakes its thread ten times a second.
Strings Program(const Strings& options, const std::string& python = CT_PYTHON) {
  Strings command = PythonProgram(python, "task_deadlocks.py");
  command.insert(command.end(), options.begin(), options.end());
  return command;
}

Answer TasksOf(pid_t pid) {
  return AnswerOf(RunTracer({"tasks", "-p", std::to_string(pid), "--json"}));
}

// "task_deadlocks.py:14".
std::string Line(const std::string& mark, const std::string& file = "task_deadlocks.py") {
  return LineOf("python/" + file, mark).substr(sizeof("python"));
}

// Those that can run the program with these options.
Strings PythonsFor(const Strings& options) {
  Strings modules = {"asyncio"};
  for (const std::string& option : options) {
    if (option == "--uvloop") modules.push_back("uvloop");
    for (const char* const of_anyio :
         {"--anyio", "--adapter", "--limiter", "--condition", "--scope", "--shield"}) {
      if (option == of_anyio) modules.push_back("anyio");
    }
  }
  return InterpretersWith(modules);
}

// Each of several equal tasks that wait is in a ring of its own: which one is shown is by where in
// memory they are.
void ExpectOneRing(Answer answer, int status, const std::string& findings) {
  answer.findings =
      std::regex_replace(answer.findings, std::regex("ring: child-2,"), "ring: child,");
  answer.findings =
      std::regex_replace(answer.findings, std::regex("ring: taker-[0-2]"), "ring: taker-0");
  ExpectAnswer(answer, status, findings);
}

// By both ways of looking.
void ExpectOfBoth(const Strings& options, int status, const std::string& findings) {
  for (const std::string& python : PythonsFor(options)) {
    SCOPED_TRACE(python);
    const Target target(Program(options, python));
    {
      SCOPED_TRACE("tasks");
      ExpectOneRing(TasksOf(target.pid()), status, findings);
    }
    SCOPED_TRACE("snapshot");
    const Answer answer = LookAt(target.pid());
    ExpectOneRing(answer, status, findings);
    EXPECT_EQ(ProcessRow(answer, target.pid()).verdict(), v1::VERDICT_DEADLOCKED);
  }
}

TEST(PythonTasks, TwoLocksInOppositeOrder) {
  ExpectOfBoth({"--locks"}, kHang,
               Lines({"DEADLOCK certain, never ends",
                      Waits({"hold_left", "mutex", "hold_right", Line("left waits")}),
                      Waits({"hold_right", "mutex", "hold_left", Line("right waits")}),
                      "  ring: hold_left, hold_right", "  behind: Task-1"}));
}

TEST(PythonTasks, OnTopOfUvloopAndOfAnyio) {
  for (const char* const top : {"--uvloop", "--anyio", "--adapter"}) {
    SCOPED_TRACE(top);
    ExpectOfBoth({"--locks", top}, kHang,
                 Lines({"DEADLOCK certain, never ends",
                        Waits({"hold_left", "mutex", "hold_right", Line("left waits")}),
                        Waits({"hold_right", "mutex", "hold_left", Line("right waits")}),
                        "  ring: hold_left, hold_right", "  behind: Task-1"}));
    ExpectOfBoth({"--semaphore", top}, kHang,
                 Lines({"PROBABLE_DEADLOCK probable, never ends",
                        Waits({"taker", "semaphore", "probably taker", Line("unit waits")}),
                        "  ring: taker", "  behind: Task-1"}));
  }
}

TEST(PythonTasks, LimitersAndConditionsOfAnyio) {
  ExpectOfBoth({"--locks", "--limiter"}, kHang,
               Lines({"PROBABLE_DEADLOCK probable, never ends",
                      Waits({"hold_left", "semaphore", "probably hold_right", Line("left waits")}),
                      Waits({"hold_right", "semaphore", "probably hold_left", Line("right waits")}),
                      "  ring: hold_left, hold_right", "  behind: Task-1"}));
  ExpectOfBoth({"--locks", "--condition"}, kHang,
               Lines({"DEADLOCK certain, never ends",
                      Waits({"hold_left", "mutex", "hold_right", Line("left waits")}),
                      Waits({"hold_right", "mutex", "hold_left", Line("right waits")}),
                      "  ring: hold_left, hold_right", "  behind: Task-1"}));
}

TEST(PythonTasks, LocksTakenWithoutABlock) {
  ExpectOfBoth(
      {"--bare"}, kHang,
      Lines({"PROBABLE_DEADLOCK probable, never ends",
             Waits({"bare_left", "mutex", "probably bare_right", Line("bare left waits")}),
             Waits({"bare_right", "mutex", "probably bare_left", Line("bare right waits")}),
             "  ring: bare_left, bare_right", "  behind: Task-1"}));
}

TEST(PythonTasks, SemaphoreTakenTwice) {
  ExpectOfBoth({"--semaphore"}, kHang,
               Lines({"PROBABLE_DEADLOCK probable, never ends",
                      Waits({"taker", "semaphore", "probably taker", Line("unit waits")}),
                      "  ring: taker", "  behind: Task-1"}));
}

// Of a loop that never sleeps nothing that two tasks show need have been so at one moment.
TEST(PythonTasks, ALoopThatNeverSleepsIsReadWhileItIsStopped) {
  const Target target(Program({"--locks", "--busy"}));
  EXPECT_EQ(TasksOf(target.pid()).findings, "");
  const auto stopped = [&] {
    return AnswerOf(
        RunTracer({"tasks", "-p", std::to_string(target.pid()), "--may-stop", "--json"}));
  };
  const Answer answer = stopped();
  ExpectAnswer(answer, kHang,
               Lines({"DEADLOCK certain, never ends",
                      Waits({"hold_left", "mutex", "hold_right", Line("left waits")}),
                      Waits({"hold_right", "mutex", "hold_left", Line("right waits")}),
                      "  ring: hold_left, hold_right", "  behind: Task-1"}));
  EXPECT_THAT(answer.snapshot.observations(0).degradations(),
              testing::Contains(testing::MatchesRegex("stopped to be read, for .* and .*")));
  // It goes on afterwards, and can be stopped again.
  const auto ran = [&] {
    std::ifstream stat("/proc/" + std::to_string(target.pid()) + "/schedstat");
    std::uint64_t time = 0;
    stat >> time;
    return time;
  };
  const std::uint64_t before = ran();
  while (ran() < before + 10'000'000) SleepFor(Milliseconds(1));
  EXPECT_EQ(stopped().findings, answer.findings);
}

TEST(PythonTasks, WhatADebuggerHasIsNotStopped) {
  const Target target(Program({"--locks", "--busy"}));
  ASSERT_EQ(ptrace(PTRACE_SEIZE, target.pid(), nullptr, nullptr), 0);
  const Answer answer =
      AnswerOf(RunTracer({"tasks", "-p", std::to_string(target.pid()), "--may-stop", "--json"}));
  EXPECT_EQ(answer.findings, "");
  EXPECT_THAT(answer.snapshot.observations(0).degradations(),
              testing::Contains(testing::StartsWith("not stopped: process")));
}

TEST(PythonTasks, ParentHoldsTheLockThatItsChildNeeds) {
  ExpectOfBoth({"--gather"}, kHang,
               Lines({"DEADLOCK certain, never ends",
                      Waits({"child", "mutex", "parent", Line("child waits")}),
                      Waits({"parent", "future", "child", Line("parent waits")}),
                      "  ring: child, parent", "  behind: Task-1"}));
}

// Whoever waits for several waits for all of them, or until the first is done.
TEST(PythonTasks, ParentsOfManyHoldTheLockThatTheirChildrenNeed) {
  ExpectOfBoth({"--group"}, kHang,
               Lines({"DEADLOCK certain, never ends",
                      Waits({"child", "mutex", "parent_of_group", Line("child waits")}),
                      Waits({"parent_of_group", "future", "child", Line("parent of group waits")}),
                      "  ring: child, parent_of_group", "  behind: Task-1"}));
  ExpectOfBoth({"--wait-all"}, kHang,
               Lines({"DEADLOCK certain, never ends",
                      Waits({"child", "mutex", "parent_of_all", Line("child waits")}),
                      Waits({"parent_of_all", "future", "child", Line("parent of all waits")}),
                      "  ring: child, parent_of_all", "  behind: Task-1"}));
  ExpectOfBoth({"--wait-first"}, kHang,
               Lines({"DEADLOCK certain, never ends",
                      Waits({"child", "mutex", "parent_of_first", Line("child waits")}),
                      Waits({"child-2", "mutex", "parent_of_first", Line("child waits")}),
                      Waits({"parent_of_first", "future", "child and child-2",
                             Line("parent of first waits")}),
                      "  ring: child, parent_of_first", "  behind: Task-1"}));
}

TEST(PythonTasks, AllOfAnUnitOfThreeWaitForAnother) {
  const std::string all = "probably taker-0 and probably taker-1 and probably taker-2";
  const std::string where = Line("another of three");
  ExpectOfBoth(
      {"--three"}, kHang,
      Lines({"PROBABLE_DEADLOCK probable, never ends", Waits({"taker-0", "semaphore", all, where}),
             Waits({"taker-1", "semaphore", all, where}),
             Waits({"taker-2", "semaphore", all, where}), "  ring: taker-0",
             "  behind: Task-1, three_takers"}));
}

// The service is not silent, only stuck: somebody else on the same loop is answered all the while.
TEST(PythonTasks, DeadlocksAreFoundWhileTheLoopAnswersRequests) {
  for (const char* const what : {"--locks", "--gather", "--group", "--wait-first", "--three"}) {
    for (const std::string& python : Interpreters()) {
      SCOPED_TRACE(python + " " + what);
      const TempDir directory;
      const std::string socket = directory.File("service");
      const Target target(Program({what, "--serve", socket}, python));
      Child client({CT_PYTHON, "-B", SourcePath("python/ask_health.py"), socket});
      client.ReadUntil("READY", std::chrono::seconds(30));
      for (const auto& look : {&TasksOf, +[](pid_t pid) { return LookAt(pid); }}) {
        Answer answer = look(target.pid());
        // One whose requests kept the loop awake each time that it was read says nothing.
        for (int i = 0; i < 4 && answer.findings.empty(); ++i) answer = look(target.pid());
        EXPECT_THAT(answer.findings, HasSubstr("DEADLOCK "));
        EXPECT_THAT(answer.findings, HasSubstr(", never ends"));
        EXPECT_EQ(answer.run.status, kHang);
      }
      client.Signal(SIGUSR1);
      client.ReadUntil("GOES ON", std::chrono::seconds(30));
    }
  }
}

TEST(PythonTasks, ATimeoutOfTheParentEndsIt) {
  ExpectOfBoth(
      {"--timeout"}, kFindings,
      Lines({"DEADLOCK certain, ends by timeout",
             Waits({"child", "mutex with timeout", "parent_with_timeout", Line("child waits")}),
             Waits({"parent_with_timeout", "future child with timeout", "child",
                    Line("timed parent waits")}),
             "  ring: child, parent_with_timeout", "  behind: Task-1"}));
}

// anyio's: it ends what a group inside of it has started, and not what is shielded from it.
TEST(PythonTasks, ATimeoutOfAnOuterScopeEndsIt) {
  ExpectOfBoth(
      {"--scope"}, kFindings,
      Lines({"DEADLOCK certain, ends by timeout",
             Waits({"child", "mutex with timeout", "parent_in_scope", Line("child waits")}),
             Waits({"parent_in_scope", "future with timeout", "child",
                    Line("parent in scope waits")}),
             "  ring: child, parent_in_scope", "  behind: Task-1"}));
  ExpectOfBoth({"--shield"}, kHang,
               Lines({"DEADLOCK certain, never ends",
                      Waits({"in_shield", "mutex", "in_shield", Line("child waits")}),
                      "  ring: in_shield", "  behind: Task-1"}));
}

void ExpectSilence(const Strings& options) {
  for (const std::string& python : PythonsFor(options)) {
    SCOPED_TRACE(python + " " + options.back());
    const Target target(Program(options, python));
    for (int look = 0; look < LooksAt(python); ++look) {
      const Answer answer = look % 2 == 0 ? TasksOf(target.pid()) : LookAt(target.pid());
      EXPECT_EQ(answer.findings, "");
      EXPECT_EQ(answer.relevant_losses, Strings{});
      EXPECT_EQ(answer.run.status, kNothing);
      SleepFor(Milliseconds(7 + look % 5));
    }
  }
}

TEST(PythonTasks, TheSameGoingOnIsSilent) {
  for (const char* const top :
       {"--asyncio", "--uvloop", "--anyio", "--adapter", "--limiter", "--condition"}) {
    ExpectSilence(
        {"--locks", "--bare", "--semaphore", "--gather", "--scope", "--shield", "--healthy", top});
  }
  // Apart from those: so many at one lock are a HOT_LOCK.
  ExpectSilence({"--group", "--wait-all", "--wait-first", "--three", "--healthy"});
}

TEST(PythonTasks, TenThousandAreReadable) {
  Strings command = PythonProgram(CT_PYTHON, "many_tasks.py");
  command.push_back("10000");
  const Target target(command);
  const std::string pid = std::to_string(target.pid());
  const Outcome table = RunTracer({"tasks", "-p", pid});
  EXPECT_EQ(table.status, kNothing) << table.error;
  EXPECT_LT(SplitLines(table.output).size(), 15U) << table.output;
  EXPECT_THAT(table.output, HasSubstr("10002 tasks"));
  EXPECT_THAT(table.output, HasSubstr("held by task holder, 1000 wait for it"));
  EXPECT_THAT(table.output, HasSubstr(Line("queues", "many_tasks.py")));
  EXPECT_LT(table.seconds, kPatienceSeconds);
  const Outcome tree = RunTracer({"tasks", "-p", pid, "--tree"});
  EXPECT_LT(SplitLines(tree.output).size(), 15U) << tree.output;
  EXPECT_THAT(tree.output, HasSubstr("\n    1000 tasks "));
  EXPECT_THAT(tree.output, HasSubstr("\n      8 tasks "));
}

TEST(PythonTasks, MatchesByNameAndByPlace) {
  const Target target(Program({"--locks"}));
  const std::string pid = std::to_string(target.pid());
  EXPECT_THAT(RunTracer({"tasks", "-p", pid, "--match", "^tick"}).output, HasSubstr("; 1 shown"));
  EXPECT_THAT(RunTracer({"tasks", "-p", pid, "--match", "hold_(left|right) .*py:"}).output,
              HasSubstr("; 2 shown"));
  const Outcome wrong = RunTracer({"tasks", "-p", pid, "--match", "("});
  EXPECT_EQ(wrong.status, kUsage);
  EXPECT_EQ(SplitLines(wrong.error).size(), 1U) << wrong.error;
}

TEST(PythonTasks, SaysInOneLineWhyThereAreNone) {
  const Child other({"/bin/sleep", "1000"});
  SleepFor(Milliseconds(100));
  const Outcome not_python = RunTracer({"tasks", "-p", std::to_string(other.pid())});
  EXPECT_EQ(not_python.status, kError);
  EXPECT_EQ(not_python.error,
            "concurrency-tracer: process " + std::to_string(other.pid()) + " is not Python\n");
  const Outcome nobody = RunTracer({"tasks", "-p", "4194304"});
  EXPECT_EQ(nobody.status, kError);
  EXPECT_EQ(nobody.error, "concurrency-tracer: there is no process 4194304\n");
}

// They say what they lack then.
TEST(PythonTasks, SnapshotAndDumpOfOnesOwnProcessNeedNoPrivileges) {
  constexpr uid_t kNobody = 65534;
  const TempDir directory;
  SpawnOptions as_nobody;
  as_nobody.before_exec = [] {
    if (setgid(kNobody) != 0 || setuid(kNobody) != 0) _exit(125);
  };
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    const Target target(Program({"--locks"}, python), as_nobody);
    const std::string pid = std::to_string(target.pid());
    const Outcome dump = RunTracer({"dump", "-p", pid}, as_nobody);
    EXPECT_EQ(dump.status, kHang) << dump.error;
    EXPECT_THAT(dump.output, HasSubstr("DEADLOCK  2 tasks"));
    EXPECT_THAT(dump.output, HasSubstr("without BPF ("));
    EXPECT_THAT(dump.output, HasSubstr("by reading memory alone: what threads do in C"));
    chmod(directory.path().c_str(), 0777);
    const std::string file = directory.File(std::to_string(target.pid()) + ".pb");
    const Outcome snapshot = RunTracer({"snapshot", "-p", pid, "-o", file}, as_nobody);
    EXPECT_EQ(snapshot.status, kHang) << snapshot.error;
    EXPECT_THAT(RunTracer({"show", file}).output, HasSubstr("DEADLOCK  2 tasks"));
  }
  const Target other({"/bin/sh", "-c", "echo READY; exec sleep 1000"}, as_nobody);
  const Outcome not_python = RunTracer({"dump", "-p", std::to_string(other.pid())}, as_nobody);
  EXPECT_EQ(not_python.status, kError) << not_python.output;
  EXPECT_THAT(not_python.error, HasSubstr("CAP_BPF"));
}

// Whoever may ptrace the process needs no more: no root, no BPF.
TEST(PythonTasks, NeedsNoPrivilegesForAProcessOfOnesOwn) {
  constexpr uid_t kNobody = 65534;
  const auto drop = [] {
    if (setgid(kNobody) != 0 || setuid(kNobody) != 0) _exit(125);
  };
  SpawnOptions as_nobody;
  as_nobody.before_exec = drop;
  const Target target(Program({"--locks"}), as_nobody);
  const Outcome own = RunTracer({"tasks", "-p", std::to_string(target.pid())}, as_nobody);
  EXPECT_EQ(own.status, kHang) << own.error;
  EXPECT_THAT(own.output, HasSubstr("DEADLOCK  2 tasks"));
  const Target of_root(Program({"--locks"}));
  for (const char* const command : {"tasks", "dump"}) {
    const Outcome others = RunTracer({command, "-p", std::to_string(of_root.pid())}, as_nobody);
    EXPECT_EQ(others.status, kError) << others.output;
    EXPECT_EQ(SplitLines(others.error).size(), 1U) << others.error;
  }
}

}  // namespace
}  // namespace ct::test
