// Pools of a program's own that keep no account, known by what their code does: who has their units
// is probable. The same classes as queues of work are none, and have none.
#include <ostream>
#include <regex>
#include <string>

#include <gmock/gmock.h>

#include "tests/integration/expect.h"
#include "tests/integration/python_programs.h"

namespace ct::test {
namespace {

using testing::HasSubstr;

// "own_pools.py:14".
std::string Line(const std::string& file, const std::string& mark) {
  return LineOf("python/pools/" + file, mark).substr(sizeof("python/pools"));
}

struct Kind {
  std::string by;  // empty: threads
  [[nodiscard]] std::string file() const {
    return by.empty() ? "own_thread_pools.py" : "own_pools.py";
  }
  [[nodiscard]] std::string type() const {
    if (by.empty()) return "__main__.Kitchen";
    return "__main__.By" + std::string(1, static_cast<char>(std::toupper(by[0]))) + by.substr(1);
  }
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.by; }

class PythonOwnPools : public testing::TestWithParam<Kind> {
 protected:
  [[nodiscard]] Strings Program(const Strings& options) const {
    const Kind& kind = GetParam();
    Strings command = PythonProgram(python_, "pools/" + kind.file());
    if (!kind.by.empty()) command.push_back(kind.by);
    command.insert(command.end(), options.begin(), options.end());
    return command;
  }
  static std::string Line(const std::string& mark) { return test::Line(GetParam().file(), mark); }
  static Answer TasksOf(pid_t pid) {
    return AnswerOf(RunTracer({"tasks", "-p", std::to_string(pid), "--json"}));
  }
  static void ExpectSilence(const Target& target, int looks = 20) {
    for (int look = 0; look < looks; ++look) {
      ExpectAnswer(look % 2 == 0 ? TasksOf(target.pid()) : LookAt(target.pid()), kNothing, "");
      SleepFor(Milliseconds(7 + look % 5));
    }
  }
  // Calls it with each interpreter as python_.
  template <class Test>
  void OnEachInterpreter(Test test) {
    for (const std::string& python : Interpreters()) {
      SCOPED_TRACE(python);
      python_ = python;
      test();
    }
    python_ = CT_PYTHON;
  }
  void ExpectKnot();
  void ExpectExhaustion();

  std::string python_ = CT_PYTHON;
};

void PythonOwnPools::ExpectKnot() {
  const Target target(Program({"knot"}));
  const std::string holders = "probably cook-0 and probably cook-1";
  const std::string main = GetParam().by.empty() ? "" : "Task-1, ";
  for (Answer answer : {TasksOf(target.pid()), LookAt(target.pid())}) {
    // Both are rings; which of them is told is by where in memory they are.
    answer.findings =
        std::regex_replace(answer.findings, std::regex("ring: cook-1"), "ring: cook-0");
    ExpectAnswer(answer, kHang,
                 Lines({"PROBABLE_DEADLOCK probable, never ends",
                        Waits({"cook-0", "pool", holders, Line("another")}),
                        Waits({"cook-1", "pool", holders, Line("another")}), "  ring: cook-0",
                        "  behind: " + main + "serve-0, serve-1, serve-2"}));
  }
  const std::string text = RunTracer({"tasks", "-p", std::to_string(target.pid())}).output;
  const bool by_with = GetParam().by == "generator";
  EXPECT_THAT(text, HasSubstr("PROBABLE_DEADLOCK  " + GetParam().type() +
                              " 2/?: all 2 holders wait for it   probable"));
  EXPECT_THAT(text, HasSubstr("  2 x cook\n      holds a unit       " +
                              std::string(by_with ? "cook_with" : "cook") + "  " +
                              Line(by_with ? "holds by with" : "holds") + " (probable)\n"));
  EXPECT_THAT(text, HasSubstr("queued, holding nothing:  3 x serve"));
  EXPECT_THAT(text, HasSubstr(Line("queued") + "\n"));
}

void PythonOwnPools::ExpectExhaustion() {
  const Target target(Program({"exhausted"}));
  const std::string holders = "probably feast-0 and probably feast-1";
  const std::string queued = Line("queued");
  const Answer answer = LookAt(target.pid(), {"--long-wait", "1ms"});
  EXPECT_EQ(answer.findings,
            Lines({"POOL_EXHAUSTED probable, may end", Waits({"serve-0", "pool", holders, queued}),
                   Waits({"serve-1", "pool", holders, queued}),
                   Waits({"serve-2", "pool", holders, queued})}) +
                (GetParam().by.empty() ? "" : "  behind: Task-1\n"));
  EXPECT_EQ(answer.run.status, kFindings);
}

TEST_P(PythonOwnPools, HoldersThatWaitForAnother) {
  OnEachInterpreter([this] { ExpectKnot(); });
}

TEST_P(PythonOwnPools, HoldersThatSleep) {
  OnEachInterpreter([this] { ExpectExhaustion(); });
}

// Of tasks whose loop goes on ticking only many looks tell how long they have waited.
TEST_P(PythonOwnPools, AreSeenToHaveRunOutOverTime) {
  const Target target(Program({"exhausted"}));
  const std::string told =
      "POOL_EXHAUSTED  " + GetParam().type() + " 2/?: 3 wait for it   probable";
  std::string output;
  // A host that is short of CPU time looks less often.
  for (const char* const duration : {"5s", "15s", "40s"}) {
    output = RunTracer({"-p", std::to_string(target.pid()), "--interval", "100ms", "--long-wait",
                        "1s", "--duration", duration})
                 .output;
    if (output.find(told) != std::string::npos) break;
  }
  EXPECT_THAT(output, HasSubstr(told));
}

// What a trace has seen by its end.
std::string ShownAfterTrace(const Strings& options) {
  Strings command = PythonProgram(CT_PYTHON, "pools/own_pools.py");
  command.insert(command.end(), options.begin(), options.end());
  const Target target(command);
  const TempDir directory;
  const std::string file = directory.File("last.pb");
  std::string shown;
  for (const char* const duration : {"5s", "15s", "40s"}) {
    RunTracer({"-p", std::to_string(target.pid()), "--interval", "100ms", "--long-wait", "1s",
               "--duration", duration, "-o", file});
    shown = RunTracer({"show", file}).output;
    if (shown.find("POOL_EXHAUSTED") != std::string::npos) break;
  }
  EXPECT_THAT(shown, HasSubstr("POOL_EXHAUSTED"));
  return shown;
}

// A service that hangs has ever more requests: that is no reason to tell all of it with each.
TEST(PythonPoolQueue, ThatGrowsIsToldAgainWhenItHasDoubled) {
  Strings command = PythonProgram(CT_PYTHON, "pools/own_pools.py");
  command.insert(command.end(), {"condition", "exhausted", "--growing"});
  const Target target(command);
  std::string output;
  std::vector<int> told;
  for (const char* const duration : {"8s", "20s", "40s"}) {
    output = RunTracer({"-p", std::to_string(target.pid()), "--interval", "100ms", "--long-wait",
                        "1s", "--duration", duration})
                 .output;
    told.clear();
    const std::regex headline(R"(POOL_EXHAUSTED .*: (\d+) wait for it)");
    for (std::sregex_iterator at(output.begin(), output.end(), headline), end; at != end; ++at) {
      told.push_back(std::stoi((*at)[1]));
    }
    if (told.size() > 1) break;
  }
  ASSERT_GT(told.size(), 1U) << output;
  for (std::size_t i = 1; i < told.size(); ++i) EXPECT_GE(told[i] + 2, 2 * told[i - 1]) << output;
}

TEST(PythonPoolQueue, ThatGrowsIsToldFromOneThatDoesNot) {
  EXPECT_THAT(
      ShownAfterTrace({"condition", "exhausted", "--growing"}),
      testing::ContainsRegex("  the queue grows: [0-9]+ waited [0-9.]+ s ago, [0-9]+ do now\n"));
  EXPECT_THAT(ShownAfterTrace({"condition", "exhausted"}),
              testing::Not(HasSubstr("the queue grows")));
}

TEST_P(PythonOwnPools, AsBusyWithOneLeftAreSilentOverTime) {
  const Target target(Program({"healthy"}));
  const Outcome trace = RunTracer({"-p", std::to_string(target.pid()), "--interval", "100ms",
                                   "--long-wait", "1s", "--duration", "5s"});
  EXPECT_THAT(trace.output, testing::Not(HasSubstr("POOL_EXHAUSTED")));
}

TEST_P(PythonOwnPools, AsBusyWithOneLeftAreSilent) {
  OnEachInterpreter(
      [this] { ExpectSilence(Target(Program({"healthy"})), python_ == CT_PYTHON ? 20 : 5); });
}

// What failed is put back to be done again: it comes back, and is no unit.
TEST_P(PythonOwnPools, AQueueOfWorkIsNone) {
  ExpectSilence(Target(Program({"work"})));
  if (GetParam().by.empty()) return;
  ExpectSilence(Target(Program({"work", "--made"})));
  ExpectSilence(Target(Program({"work", "--careful"})));
}

INSTANTIATE_TEST_SUITE_P(All, PythonOwnPools,
                         testing::Values(Kind{"condition"}, Kind{"future"}, Kind{"queue"},
                                         Kind{"semaphore"}, Kind{"generator"}, Kind{""}),
                         [](const auto& info) {
                           return info.param.by.empty() ? "threads" : info.param.by;
                         });

}  // namespace
}  // namespace ct::test
