// Tasks of a web service are called what its owner calls them: method, route and client.
#include <gmock/gmock.h>

#include "tests/integration/expect.h"
#include "tests/integration/python_programs.h"

namespace ct::test {
namespace {

using testing::HasSubstr;
using testing::Not;

Strings Service(const Strings& options) {
  Strings command = PythonProgram(CT_PYTHON, "asgi_service.py");
  command.insert(command.end(), options.begin(), options.end());
  return command;
}

std::string Line(const std::string& mark) {
  return LineOf("python/asgi_service.py", mark).substr(sizeof("python"));
}

Outcome Tasks(pid_t pid, const Strings& more) {
  Strings command = {"tasks", "-p", std::to_string(pid)};
  command.insert(command.end(), more.begin(), more.end());
  return RunTracer(command);
}

void ExpectDeadlock(const std::string& kind, const std::string& orders, const std::string& pay) {
  const Target target(Service({kind}));
  const Answer answer = AnswerOf(Tasks(target.pid(), {"--json"}));
  ExpectAnswer(
      answer, kHang,
      Lines({"DEADLOCK certain, never ends", Waits({orders, "mutex", pay, Line("order waits")}),
             Waits({pay, "mutex", orders, Line("pay waits")}), "  ring: " + orders + ", " + pay}));
  EXPECT_THAT(answer.run.output, Not(HasSubstr("secret")));
  const std::string text = Tasks(target.pid(), {}).output;
  EXPECT_THAT(text, HasSubstr("  " + orders + " from 127.0.0.1  "));
  EXPECT_THAT(text, HasSubstr("  " + pay + " from 127.0.0.1  "));
  EXPECT_THAT(text, Not(HasSubstr("secret")));
  EXPECT_THAT(Tasks(target.pid(), {"--match", "^POST "}).output, HasSubstr("; 1 shown"));
}

TEST(PythonRequests, OfFastApiHaveTheirRoute) {
  ExpectDeadlock("fastapi", "GET /orders/{order_id}", "POST /pay");
}

TEST(PythonRequests, OfAMountedStarletteHaveTheirWholeRoute) {
  ExpectDeadlock("starlette", "GET /api/orders/{order_id}", "POST /api/pay");
}

// No router says what a part of the path is.
TEST(PythonRequests, WithoutARouterHaveTheirPath) {
  ExpectDeadlock("plain", "GET /orders/7", "POST /pay");
}

TEST(PythonRequests, AServiceThatAnswersIsSilent) {
  const Target target(Service({"fastapi", "--healthy"}));
  for (int look = 0; look < 20; ++look) {
    const Answer answer = AnswerOf(Tasks(target.pid(), {"--json"}));
    EXPECT_EQ(answer.findings, "");
    EXPECT_EQ(answer.relevant_losses, Strings{});
    EXPECT_EQ(answer.run.status, kNothing);
    SleepFor(Milliseconds(7 + look % 5));
  }
}

}  // namespace
}  // namespace ct::test
