// Threads of real interpreters that wait for each other, and for tasks: the whole answer, by
// reading alone and with the sweep; and that the same programs going on are never accused.
#include <regex>

#include <gtest/gtest.h>

#include "tests/integration/expect.h"
#include "tests/integration/python_programs.h"

namespace ct::test {
namespace {

constexpr const char* kThreads = "thread_deadlocks.py";
constexpr const char* kBorder = "border_deadlocks.py";

Answer TasksOf(pid_t pid) {
  return AnswerOf(RunTracer({"tasks", "-p", std::to_string(pid), "--json"}));
}

Strings Program(const std::string& python, const std::string& file, const Strings& options) {
  Strings command = PythonProgram(python, file);
  command.insert(command.end(), options.begin(), options.end());
  return command;
}

// "thread_deadlocks.py:14".
std::string Line(const std::string& file, const std::string& mark) {
  return LineOf("python/" + file, mark).substr(sizeof("python"));
}
std::string InThreads(const std::string& mark) { return Line(kThreads, mark); }
std::string InBorder(const std::string& mark) { return Line(kBorder, mark); }

// By both ways of looking, on every interpreter.
void ExpectOfBoth(const std::string& file, const Strings& options, int status,
                  const std::string& findings) {
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    const Target target(Program(python, file, options));
    {
      SCOPED_TRACE("tasks");
      ExpectAnswer(TasksOf(target.pid()), status, findings);
    }
    SCOPED_TRACE("snapshot");
    ExpectAnswer(LookAt(target.pid()), status, findings);
  }
}

// Of Debian's uvloop, which is that of the system's python3.
void ExpectOfUvloop(const std::string& way, int status, const std::string& findings) {
  const Target target(Program(CT_PYTHON, kBorder, {way, "--uvloop"}));
  ExpectAnswer(TasksOf(target.pid()), status, findings);
  ExpectAnswer(LookAt(target.pid()), status, findings);
}

void ExpectSilence(const std::string& file, const Strings& options, int looks) {
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    const Target target(Program(python, file, options));
    for (int look = 0; look < looks; ++look) {
      const Answer answer = look % 2 == 0 ? TasksOf(target.pid()) : LookAt(target.pid());
      EXPECT_EQ(answer.findings, "");
      EXPECT_EQ(answer.relevant_losses, Strings{});
      EXPECT_EQ(answer.run.status, kNothing) << answer.run.error;
      SleepFor(Milliseconds(7 + look % 5));
    }
  }
}

TEST(PythonThreads, TwoLocksInOppositeOrder) {
  for (const char* const kind : {"--locks", "--rlocks", "--conditions"}) {
    SCOPED_TRACE(kind);
    ExpectOfBoth(kThreads, {kind}, kHang,
                 Deadlock({{"hold_left", "mutex", "hold_right", InThreads("left waits")},
                           {"hold_right", "mutex", "hold_left", InThreads("right waits")}},
                          "hold_left, hold_right"));
  }
}

TEST(PythonThreads, ALockTakenTwice) {
  ExpectOfBoth(
      kThreads, {"--twice"}, kHang,
      Deadlock({{"take_twice", "mutex", "take_twice", InThreads("taken again")}}, "take_twice"));
}

TEST(PythonThreads, AnRLockNamesItsOwner) {
  ExpectOfBoth(kThreads, {"--owner"}, kHang,
               Deadlock({{"bare_owner", "mutex", "block_owner", InThreads("bare owner waits")},
                         {"block_owner", "mutex", "bare_owner", InThreads("block owner waits")}},
                        "bare_owner, block_owner"));
}

// Nothing on a stack says who has called acquire(): the code does, and not which branch it took.
TEST(PythonThreads, LocksTakenWithoutABlock) {
  ExpectOfBoth(
      kThreads, {"--bare"}, kHang,
      Lines({"PROBABLE_DEADLOCK probable, never ends",
             Waits({"bare_left", "mutex", "probably bare_right", InThreads("bare left waits")}),
             Waits({"bare_right", "mutex", "probably bare_left", InThreads("bare right waits")}),
             "  ring: bare_left, bare_right"}));
}

TEST(PythonThreads, ALockThatAHelperTookBeforeItReturned) {
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    const Target target(Program(python, kThreads, {"--helper"}));
    ExpectAnswer(
        LookAt(target.pid(), {"--long-wait", "200ms"}), kFindings,
        Lines({"LONG_WAIT certain, may end",
               "  lock_of_a_helper waits for mutex at " + InThreads("helper waits"),
               Waits({"wants_lock", "mutex", "lock_of_a_helper", InThreads("behind a helper")}),
               "  chain: lock_of_a_helper"}));
  }
}

TEST(PythonThreads, ASemaphoreTakenTwice) {
  ExpectOfBoth(
      kThreads, {"--semaphore"}, kHang,
      Lines({"PROBABLE_DEADLOCK probable, never ends",
             Waits({"take_unit", "semaphore", "probably take_unit", InThreads("unit waits")}),
             "  ring: take_unit"}));
}

TEST(PythonThreads, AllOfASemaphoreOfThreeWaitForAnother) {
  const std::string one = "probably take_of_three";
  ExpectOfBoth(kThreads, {"--three"}, kHang,
               Lines({"PROBABLE_DEADLOCK probable, never ends",
                      Waits({"3 x take_of_three", "semaphore", one + " and " + one + " and " + one,
                             InThreads("another of three")}),
                      "  ring: take_of_three"}));
}

TEST(PythonThreads, JoinUnderALockThatTheThreadNeeds) {
  ExpectOfBoth(kThreads, {"--join"}, kHang,
               Deadlock({{"join_under_lock", "thread exit", "worker", InThreads("joiner waits")},
                         {"worker", "mutex", "join_under_lock", InThreads("worker waits")}},
                        "join_under_lock, worker"));
}

TEST(PythonThreads, WorkersThatWaitForWorkBehindThem) {
  const std::string where = InThreads("worker of the pool waits");
  ExpectOfBoth(kThreads, {"--executor"}, kHang,
               Lines({"DEADLOCK certain, never ends",
                      Waits({"pool_0", "future", "pool_0 and pool_1", where}),
                      Waits({"pool_1", "future", "pool_0 and pool_1", where}), "  ring: pool_0",
                      "  behind: exhaust"}));
}

TEST(PythonThreads, WhoIsIdleOrWaitsForNewsIsNotStuck) {
  ExpectSilence(kThreads, {"--condition", "--idle"}, 6);
}

TEST(PythonThreads, TheSameGoingOnIsSilent) {
  ExpectSilence(kThreads,
                {"--locks", "--rlocks", "--conditions", "--twice", "--owner", "--semaphore",
                 "--three", "--join", "--executor", "--condition", "--idle", "--bare", "--healthy"},
                30);
}

TEST(PythonBorder, TheLoopsOwnThreadWaitsForTheLoop) {
  ExpectOfBoth(
      kBorder, {"--own-loop"}, kHang,
      Deadlock({{"MainThread", "future", "MainThread", InBorder("asks the loop")}}, "MainThread"));
}

// What uvloop is about to call is in a queue of its own.
TEST(PythonBorder, TheSameOnUvloop) {
  ExpectOfUvloop(
      "--own-loop", kHang,
      Deadlock({{"MainThread", "future", "MainThread", InBorder("asks the loop")}}, "MainThread"));
  ExpectOfUvloop("--cross", kHang,
                 Deadlock({{"MainThread", "mutex", "holder", InBorder("takes the lock")},
                           {"holder", "future", "MainThread", InBorder("asks the loop")}},
                          "MainThread, holder"));
}

TEST(PythonBorder, TheLoopsThreadWantsALockOfItsOwnTask) {
  ExpectOfBoth(kBorder, {"--lock-of-task"}, kHang,
               Deadlock({{"MainThread", "mutex", "keeper", InBorder("takes the lock")},
                         {"keeper", "event loop", "MainThread", InBorder("keeper waits")}},
                        "MainThread, keeper"));
}

TEST(PythonBorder, AThreadAsksTheLoopUnderALockThatTheLoopWants) {
  ExpectOfBoth(kBorder, {"--cross"}, kHang,
               Deadlock({{"MainThread", "mutex", "holder", InBorder("takes the lock")},
                         {"holder", "future", "MainThread", InBorder("asks the loop")}},
                        "MainThread, holder"));
  ExpectOfBoth(kBorder, {"--cross-task"}, kHang,
               Deadlock({{"MainThread", "mutex", "holder", InBorder("takes the lock")},
                         {"Task-2", "event loop", "MainThread", InBorder("asked task waits")},
                         {"holder", "future", "Task-2", InBorder("asks the loop")}},
                        "MainThread, holder, Task-2"));
}

TEST(PythonBorder, AWorkerNeedsTheLockOfTheTaskThatWaitsForIt) {
  ExpectOfBoth(kBorder, {"--worker"}, kHang,
               Deadlock({{"keeper", "future", "pool_0", InBorder("waits for the worker")},
                         {"pool_0", "mutex", "keeper", InBorder("takes the lock")}},
                        "keeper, pool_0"));
}

// What is in C only the sweep knows.
TEST(PythonBorder, AMutexOfCAndTheGil) {
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    const Target target(Program(python, kBorder, {"--gil"}));
    SleepFor(Milliseconds(500));
    // Who waits for the GIL asks for it every 5 ms; one look in a hundred finds him awake each
    // time.
    Answer answer = LookAt(target.pid());
    for (int i = 0; i < 3 && answer.findings.find("DEADLOCK") == std::string::npos; ++i) {
      answer = LookAt(target.pid());
    }
    // Which global the GIL is part of is another in each version, and who waits for it wakes up
    // every few milliseconds.
    answer.findings =
        std::regex_replace(answer.findings, std::regex(" _Py\\S+| .stack moved.|, runnable"), "");
    ExpectAnswer(
        answer, kHang,
        Lines({"DEADLOCK certain, never ends",
               Waits({"gil_then_mutex", "mutex", "mutex_then_gil", InBorder("keeps the GIL")}),
               Waits({"mutex_then_gil", "gil", "gil_then_mutex", InBorder("wants the GIL")}),
               "  ring: gil_then_mutex, mutex_then_gil", "  behind: MainThread"}));
  }
}

TEST(PythonBorder, TheSameGoingOnIsSilent) {
  ExpectSilence(
      kBorder,
      {"--own-loop", "--lock-of-task", "--cross", "--cross-task", "--worker", "--gil", "--healthy"},
      40);
}

TEST(PythonBorder, TheSameGoingOnOnUvloopIsSilent) {
  const Target target(
      Program(CT_PYTHON, kBorder, {"--own-loop", "--cross", "--worker", "--healthy", "--uvloop"}));
  for (int look = 0; look < 30; ++look) {
    const Answer answer = look % 2 == 0 ? TasksOf(target.pid()) : LookAt(target.pid());
    EXPECT_EQ(answer.findings, "");
    SleepFor(Milliseconds(7 + look % 5));
  }
}

}  // namespace
}  // namespace ct::test
