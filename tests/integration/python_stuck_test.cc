// Requests that do not go on, and futures that nobody can complete; never who is idle or slow.
#include <gmock/gmock.h>

#include "tests/integration/expect.h"
#include "tests/integration/python_programs.h"

namespace ct::test {
namespace {

using testing::HasSubstr;

Strings Program(const std::string& python, const Strings& options) {
  Strings command = PythonProgram(python, "stuck_requests.py");
  command.insert(command.end(), options.begin(), options.end());
  return command;
}

std::string Line(const std::string& mark) {
  return LineOf("python/stuck_requests.py", mark).substr(sizeof("python"));
}

// A trace with tasks that are stuck after two seconds.
Strings Trace(pid_t pid) {
  return {CT_TRACER_PATH, "--pid", std::to_string(pid), "--stuck-task", "2s", "--duration"};
}

// Of a loop that goes on only many looks at the same wait say so.
TEST(PythonStuck, RequestsThatDoNotGoOn) {
  const Target target(Program(CT_PYTHON, {}));
  Strings command = Trace(target.pid());
  command.emplace_back("100");
  Child trace(command);
  trace.ReadUntil("  Give what it waits for a timeout.", Milliseconds(100'000));
  const std::string text = trace.output();
  EXPECT_THAT(text, HasSubstr("STUCK_TASK  2 tasks"));
  EXPECT_THAT(text, HasSubstr("GET /report/{number}"));
  EXPECT_THAT(text, HasSubstr(Line("report")));
  EXPECT_THAT(text, testing::ContainsRegex("waits L3 .* ask_upstream +" + Line("upstream")));
  EXPECT_THAT(text, HasSubstr("not certain: the event loop ran between them"));
  EXPECT_THAT(text, testing::Not(HasSubstr("secret")));
  for (const char* const idle : {"/slow", "/feed", "/poll", "/upload"}) {
    EXPECT_THAT(text, testing::Not(HasSubstr(idle)));
  }
}

TEST(PythonStuck, WhoIsIdleOrSlowIsNot) {
  const Target target(Program(CT_PYTHON, {"--healthy"}));
  Strings command = Trace(target.pid());
  command.emplace_back("14");
  Child trace(command);
  trace.Wait(Milliseconds(60'000));
  EXPECT_THAT(trace.output(), testing::Not(HasSubstr("STUCK_TASK")));
  EXPECT_THAT(trace.output(), HasSubstr("0 findings in "));
}

TEST(PythonStuck, AFutureThatNobodyCanComplete) {
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    const Target target(Program(python, {"--lost"}));
    ExpectAnswer(
        AnswerOf(RunTracer({"tasks", "-p", std::to_string(target.pid()), "--json"})), kHang,
        Lines({"STUCK_TASK certain, never ends",
               "  loses_its_future waits for future abandoned: unreferenced at " + Line("lost"),
               "  behind: Task-1"}));
  }
}

TEST(PythonStuck, AFutureThatSomebodyKeepsMayBeCompleted) {
  const Target target(Program(CT_PYTHON, {"--lost", "--healthy"}));
  for (int look = 0; look < 20; ++look) {
    const Answer answer =
        AnswerOf(RunTracer({"tasks", "-p", std::to_string(target.pid()), "--json"}));
    EXPECT_EQ(answer.findings, "");
    SleepFor(Milliseconds(7 + look % 5));
  }
}

}  // namespace
}  // namespace ct::test
