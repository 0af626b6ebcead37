// What tasks do over time, and how long they have done it.
#include <gmock/gmock.h>

#include "tests/integration/expect.h"
#include "tests/integration/python_programs.h"

namespace ct::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string Line(const std::string& mark) {
  return LineOf("python/changing.py", mark).substr(sizeof("python"));
}

TEST(PythonEvery, PrintsTheTableAndThenWhatHasChanged) {
  const Target target(PythonProgram(CT_PYTHON, "changing.py"));
  const std::string pid = std::to_string(target.pid());
  const Outcome run = RunTracer({"tasks", "-p", pid, "--every", "300ms"});
  EXPECT_EQ(run.status, kNothing) << run.error;
  const Strings lines = SplitLines(run.output);
  ASSERT_FALSE(lines.empty());
  EXPECT_THAT(lines.front(), StartsWith("TASKS  5 tasks of "));
  EXPECT_THAT(lines, Contains(AllOf(StartsWith("  new    task come"), HasSubstr(Line("comes")))));
  EXPECT_THAT(lines, Contains(AllOf(StartsWith("  moved  task move"), HasSubstr("asyncio.sleep"),
                                    HasSubstr(Line("moved")))));
  EXPECT_THAT(lines, Contains("  ended  task go"));
  // Seen so for a second and more by the looks before.
  EXPECT_THAT(lines, Contains(AllOf(StartsWith("  still  task stay"),
                                    ContainsRegex("waits for asyncio.Lock L1 .*" + Line("stays") +
                                                  "  >= [12]\\.[0-9] s"))));
  EXPECT_THAT(run.output, HasSubstr(": 1 new, 1 ended, "));
  EXPECT_THAT(run.output, Not(HasSubstr("  still  task hold")));
  EXPECT_THAT(lines.back(), ContainsRegex("^[0-9:]{8}  process " + pid + " has ended$"));
}

TEST(PythonEvery, PrintsASnapshotALineAsJson) {
  const Target target(PythonProgram(CT_PYTHON, "changing.py"));
  const Outcome run =
      RunTracer({"tasks", "-p", std::to_string(target.pid()), "--every", "500ms", "--json"});
  const Strings lines = SplitLines(run.output);
  ASSERT_GE(lines.size(), 3U);
  for (const std::string& line : lines) {
    Outcome one = run;
    one.output = line;
    EXPECT_EQ(AnswerOf(one).findings, "");
  }
  EXPECT_THAT(run.error, HasSubstr("has ended\n"));
}

TEST(PythonEvery, ATimerTellsSinceWhen) {
  const Target target(PythonProgram(CT_PYTHON, "changing.py"));
  SleepFor(Milliseconds(2500));
  const Strings lines = SplitLines(RunTracer({"tasks", "-p", std::to_string(target.pid())}).output);
  EXPECT_THAT(lines,
              Contains(AllOf(HasSubstr("task hold"), ContainsRegex("  for [23]\\.[0-9] s"))));
  EXPECT_THAT(lines,
              Contains(AllOf(HasSubstr("task move"), ContainsRegex("  for [12]\\.[0-9] s"))));
}

}  // namespace
}  // namespace ct::test
