// Locks of Python that are taken though nobody has them: the whole answer; and those that somebody
// may still release, which are nobody's fault yet.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/expect.h"
#include "tests/integration/python_programs.h"

namespace ct::test {
namespace {

using ::testing::HasSubstr;

constexpr const char* kFile = "abandoned_locks.py";
constexpr const char* kKept = "kept_locks.py";

Strings Program(const std::string& python, const std::string& file, const Strings& options) {
  Strings command = PythonProgram(python, file);
  command.insert(command.end(), options.begin(), options.end());
  return command;
}

// "abandoned_locks.py:14".
std::string Line(const std::string& file, const std::string& mark) {
  return LineOf("python/" + file, mark).substr(sizeof("python"));
}

Answer LookAtLongWaits(pid_t pid) { return LookAt(pid, {"--long-wait", "200ms"}); }

struct Abandoned {
  const char* option;
  std::string waits;   // who, and where
  std::string takers;  // as the text has it
};

TEST(PythonAbandoned, LocksThatNobodyHas) {
  const std::vector<Abandoned> cases = {
      {"--leak", "wants waits for mutex abandoned: unreferenced at " + Line(kFile, "wants waits"),
       "update " + Line(kFile, "update takes")},
      {"--store", "reads waits for mutex abandoned: unreferenced at " + Line(kFile, "get waits"),
       "Store.put " + Line(kFile, "put takes")},
      {"--async",
       "wants_later waits for mutex abandoned: unreferenced at " + Line(kFile, "wants later") +
           "\n  behind: Task-1",
       "update_later " + Line(kFile, "update later takes")},
  };
  for (const std::string& python : Interpreters()) {
    for (const Abandoned& expected : cases) {
      SCOPED_TRACE(python + " " + expected.option);
      const Target target(Program(python, kFile, {expected.option}));
      const Answer answer = LookAtLongWaits(target.pid());
      ExpectAnswer(answer, kHang,
                   Lines({"ABANDONED_LOCK probable, never ends", "  " + expected.waits}));
      const TempDir directory;
      const Outcome text = RunTracer({"snapshot", "-p", std::to_string(target.pid()), "--long-wait",
                                      "200ms", "-o", directory.File("answer.pb")});
      EXPECT_THAT(text.output, HasSubstr("nobody has it, and nothing releases it without"));
      EXPECT_THAT(text.output, HasSubstr("taken without a with block: acquire() in "));
      EXPECT_THAT(text.output, HasSubstr(expected.takers));
    }
  }
}

TEST(PythonAbandoned, AnRLockWhoseOwnerHasEnded) {
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    const Target target(Program(python, kFile, {"--owner"}));
    const std::string expected = Lines(
        {"ABANDONED_LOCK certain, never ends",
         "  wants_owned waits for mutex abandoned: owner exited at " + Line(kFile, "wants owned")});
    ExpectAnswer(LookAt(target.pid()), kHang, expected);
    ExpectAnswer(AnswerOf(RunTracer({"tasks", "-p", std::to_string(target.pid()), "--json"})),
                 kHang, expected);
  }
}

// Somebody may release them: who waits has waited for long, and nobody is accused.
TEST(PythonAbandoned, WhatMayStillBeReleasedIsNot) {
  struct Kept {
    const char* file;
    const char* option;
    std::string waits;
  };
  const std::vector<Kept> cases = {
      {kFile, "--session", "queries waits for mutex at " + Line(kFile, "query waits")},
      {kFile, "--stack", "wants waits for mutex at " + Line(kFile, "wants waits")},
      {kFile, "--generator", "wants waits for mutex at " + Line(kFile, "wants waits")},
      {kKept, "--method", "want waits for mutex at " + Line(kKept, "wants the method's")},
      {kKept, "--shard", "want waits for mutex at " + Line(kKept, "wants the shard")},
      {kKept, "--property", "want waits for mutex at " + Line(kKept, "wants the property")},
      {kKept, "--other", "want waits for mutex at " + Line(kKept, "wants the given")},
  };
  for (const std::string& python : Interpreters()) {
    for (const Kept& kept : cases) {
      SCOPED_TRACE(python + " " + kept.option);
      const Target target(Program(python, kept.file, {kept.option}));
      const Answer answer = LookAtLongWaits(target.pid());
      const std::string who = kept.waits.substr(0, kept.waits.find(' '));
      ExpectAnswer(answer, kFindings,
                   Lines({"LONG_WAIT certain, may end", "  " + kept.waits, "  chain: " + who}));
    }
  }
}

// Which way the code went that took it is not known: it may have it.
TEST(PythonAbandoned, WhoSleepsUnderItMayHaveIt) {
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    const Target target(Program(python, kFile, {"--sleeper"}));
    EXPECT_THAT(LookAtLongWaits(target.pid()).findings,
                ::testing::StartsWith("LONG_WAIT certain, may end"));
  }
}

TEST(PythonAbandoned, ASignalIsNoLock) {
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    const Target target(Program(python, kFile, {"--gate"}));
    EXPECT_EQ(LookAtLongWaits(target.pid()).findings.find("ABANDONED"), std::string::npos);
  }
}

TEST(PythonAbandoned, TheSameGoingOnIsSilent) {
  constexpr int kLooks = 30;
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    const Target target(
        Program(python, kFile, {"--leak", "--store", "--owner", "--async", "--healthy"}));
    for (int look = 0; look < kLooks; ++look) {
      const Answer answer = LookAt(target.pid(), {"--long-wait", "1ms"});
      EXPECT_EQ(answer.findings.find("ABANDONED"), std::string::npos) << answer.findings;
      SleepFor(Milliseconds(7 + look % 5));
    }
  }
}

}  // namespace
}  // namespace ct::test
