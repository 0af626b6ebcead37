// Exceptions that nobody asks for and coroutines that nobody awaits, in real interpreters: the
// whole answer; and that programs which take care of theirs are never accused.
#include <gmock/gmock.h>

#include "tests/integration/expect.h"
#include "tests/integration/python_programs.h"

namespace ct::test {
namespace {

using testing::HasSubstr;

Strings Program(const std::string& python, const Strings& options) {
  Strings command = PythonProgram(python, "forgotten.py");
  command.insert(command.end(), options.begin(), options.end());
  return command;
}

Answer TasksOf(pid_t pid) {
  return AnswerOf(RunTracer({"tasks", "-p", std::to_string(pid), "--json"}));
}

std::string Line(const std::string& mark) {
  return LineOf("python/forgotten.py", mark).substr(sizeof("python"));
}

void ExpectOfAll(const Strings& options, const std::string& findings) {
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    const Target target(Program(python, options));
    ExpectAnswer(TasksOf(target.pid()), kFindings, findings);
    if (python == CT_PYTHON) ExpectAnswer(LookAt(target.pid()), kFindings, findings);
  }
}

TEST(PythonForgotten, ExceptionsThatNobodyAsksFor) {
  ExpectOfAll(
      {"--swallowed"},
      Lines({"SWALLOWED_EXCEPTION certain, may end",
             "  task sync-stock: ConnectionResetError '[Errno 104] Connection reset by peer' at " +
                 Line("stock fails") + "; __main__.running has it",
             "SWALLOWED_EXCEPTION certain, may end",
             "  future: RuntimeError 'nobody'; __main__.by_name has it",
             "SWALLOWED_EXCEPTION certain, may end",
             "  task refresh: ValueError 'price 7 of -1' at " + Line("price fails") +
                 "; background of a __main__.Runner has it"}));
}

TEST(PythonForgotten, DebugModeSaysWhereTheTaskWasCreated) {
  const Target target(Program(CT_PYTHON, {"--swallowed", "--debug"}));
  EXPECT_THAT(TasksOf(target.pid()).findings,
              HasSubstr("at " + Line("price fails") + ", created at " + Line("refresh created")));
}

// Whoever waits for something else may ask one day: it is in the file, and no finding.
TEST(PythonForgotten, FailedWorkersThatAFrameStillHasAreNotAccused) {
  const Target target(Program(CT_PYTHON, {"--workers"}));
  const Answer answer = TasksOf(target.pid());
  EXPECT_EQ(answer.findings, "");
  ASSERT_EQ(answer.snapshot.swallowed_exceptions_size(), 3);
  EXPECT_EQ(answer.snapshot.swallowed_exceptions(0).evidence(), v1::EVIDENCE_PROBABLE);
}

TEST(PythonForgotten, CoroutinesThatNobodyAwaits) {
  ExpectOfAll({"--never"},
              Lines({"NEVER_AWAITED probable, may end",
                     "  1 at " + Line("clean_up") + "; __main__.by_name has it",
                     "NEVER_AWAITED probable, may end",
                     "  1 at " + Line("clean_up") + "; jobs of a __main__.Runner has it",
                     "NEVER_AWAITED probable, may end",
                     "  3 at " + Line("send_mail") + "; __main__.pending has it"}));
}

TEST(PythonForgotten, ReadsWellAsText) {
  const Target target(Program(CT_PYTHON, {"--swallowed", "--never"}));
  const std::string text = RunTracer({"dump", "-p", std::to_string(target.pid())}).output;
  EXPECT_THAT(text, HasSubstr("SWALLOWED_EXCEPTION  task sync-stock: ConnectionResetError, " +
                              Line("stock fails") + "   certain\n"));
  EXPECT_THAT(text, HasSubstr("\"[Errno 104] Connection reset by peer\" in fetch_stock\n"));
  EXPECT_THAT(text, HasSubstr("NEVER_AWAITED  3 coroutines send_mail, " + Line("send_mail") +
                              "   probable\n"));
}

TEST(PythonForgotten, WhoeverTakesCareIsNeverAccused) {
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    const Target target(Program(python, {"--healthy"}));
    const int looks = python == CT_PYTHON ? 40 : 10;
    for (int look = 0; look < looks; ++look) {
      const Answer answer =
          look % 4 == 0 && python == CT_PYTHON ? LookAt(target.pid()) : TasksOf(target.pid());
      EXPECT_EQ(answer.findings, "");
      EXPECT_EQ(answer.relevant_losses, Strings{});
      EXPECT_EQ(answer.run.status, kNothing);
      SleepFor(Milliseconds(7 + look % 5));
    }
  }
}

}  // namespace
}  // namespace ct::test
