// Who waits for calls that worker processes make: the executor is named, with its calls and
// workers.
#include <set>
#include <sstream>

#include <gmock/gmock.h>

#include "tests/integration/expect.h"
#include "tests/integration/python_programs.h"

namespace ct::test {
namespace {

constexpr int kCalls = 8;

Strings Program(const std::string& python, const std::string& kind) {
  Strings command = PythonProgram(python, "process_pool.py");
  command.push_back(kind);
  return command;
}

std::string Place(const std::string& kind) {
  return LineOf("python/process_pool.py", kind == "task" ? "in executor" : "result")
      .substr(sizeof("python"));
}

// "4711, 4712": as the program says.
std::string WorkersOf(const Child& program) {
  std::string pids;
  for (const std::string& line : SplitLines(program.output())) {
    if (line.starts_with("WORKER ")) pids += (pids.empty() ? "" : ", ") + line.substr(7);
  }
  return pids;
}

TEST(PythonProcessPool, WhoWaitsForACallOfAnotherProcess) {
  for (const std::string& python : Interpreters()) {
    for (const std::string kind : {"thread", "task"}) {
      SCOPED_TRACE(python + " " + kind);
      Child program(Program(python, kind));
      program.ReadUntil("READY", std::chrono::seconds(60));
      const std::string executor =
          "call of ProcessPoolExecutor (8 calls, 2/2 workers: " + WorkersOf(program) + ")";
      const Answer answer = LookAt(program.pid());
      EXPECT_EQ(answer.findings, "") << "work that takes long is no fault";
      EXPECT_EQ(answer.run.status, kNothing);
      EXPECT_EQ(answer.relevant_losses, Strings{});
      const Outcome text = RunTracer({"snapshot", "--all", "-p", std::to_string(program.pid())});
      int queued = 0, handed_out = 0;
      std::set<std::string> waiting;
      for (const std::string& line : SplitLines(text.output)) {
        const std::size_t at = line.find("convert-");
        if (at == std::string::npos) continue;
        EXPECT_THAT(line, testing::HasSubstr(executor));
        EXPECT_THAT(line, testing::EndsWith(Place(kind)));
        waiting.insert(line.substr(at, sizeof("convert-0") - 1));
        ++(line.find("queued " + executor) != std::string::npos ? queued : handed_out);
      }
      EXPECT_EQ(waiting.size(), kCalls) << text.output;
      EXPECT_EQ(queued + handed_out, kCalls) << text.output;
      EXPECT_GE(queued, 3) << "two run, and the executor hands out three more";
      EXPECT_GE(handed_out, 3);
    }
  }
}

TEST(PythonProcessPool, CallsThatEndAreSilent) {
  for (const std::string& python : Interpreters()) {
    for (const std::string kind : {"thread", "task"}) {
      SCOPED_TRACE(python + " " + kind);
      Strings command = Program(python, kind);
      command.emplace_back("--healthy");
      const Target target(command);
      for (int look = 0; look < 20; ++look) {
        const Answer answer =
            look % 2 == 0
                ? LookAt(target.pid())
                : AnswerOf(RunTracer({"tasks", "-p", std::to_string(target.pid()), "--json"}));
        EXPECT_EQ(answer.findings, "");
        EXPECT_EQ(answer.relevant_losses, Strings{});
        EXPECT_EQ(answer.run.status, kNothing);
        SleepFor(Milliseconds(7 + look % 5));
      }
    }
  }
}

}  // namespace
}  // namespace ct::test
