// Pools of real libraries, with real servers: who has the units that others wait for. Each knot with
// a ticker on the same loop, each with a twin that is as busy and has enough.
#include <memory>

#include <gmock/gmock.h>

#include "tests/integration/expect.h"
#include "tests/integration/postgres.h"
#include "tests/integration/python_programs.h"

namespace ct::test {
namespace {

using testing::HasSubstr;

// "asyncpg_pool.py:14".
std::string Line(const std::string& file, const std::string& mark) {
  const std::string line = LineOf("python/pools/" + file, mark);
  return line.substr(line.rfind('/') + 1);
}

Answer TasksOf(pid_t pid) {
  return AnswerOf(RunTracer({"tasks", "-p", std::to_string(pid), "--json"}));
}

class PythonPools : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    postgres_ = std::make_unique<Postgres>(Strings{"max_connections=100"});
  }
  static void TearDownTestSuite() { postgres_.reset(); }

  static Strings Program(const std::string& file, const Strings& options = {}) {
    Strings command = PythonProgram(CT_PYTHON, "pools/" + file);
    command.push_back(postgres_->path());
    command.insert(command.end(), options.begin(), options.end());
    return command;
  }

  // By both ways of looking.
  static void ExpectOfBoth(const Target& target, int status, const std::string& findings) {
    {
      SCOPED_TRACE("tasks");
      ExpectAnswer(TasksOf(target.pid()), status, findings);
    }
    SCOPED_TRACE("snapshot");
    ExpectAnswer(LookAt(target.pid()), status, findings);
  }

  static void ExpectSilence(const std::string& file) {
    const Target target(Program(file, {"--healthy"}));
    for (int look = 0; look < 40; ++look) {
      const Answer answer = look % 2 == 0 ? TasksOf(target.pid()) : LookAt(target.pid());
      EXPECT_EQ(answer.findings, "");
      EXPECT_EQ(answer.relevant_losses, Strings{});
      EXPECT_EQ(answer.run.status, kNothing);
      SleepFor(Milliseconds(7 + look % 5));
    }
  }

  static inline std::unique_ptr<Postgres> postgres_;
};

// Of two requests and a job that have all three connections of a pool and ask for another, with
// four more requests queued.
std::string Incident(const std::string& file, const std::string& ending, const std::string& pool) {
  const std::string holders = "order-0 and order-1 and refresh-prices";
  const std::string where = Line(file, "another");
  return Lines({"DEADLOCK certain, " + ending, Waits({"order-0", pool, holders, where}),
                Waits({"order-1", pool, holders, where}),
                Waits({"refresh-prices", pool, holders, where}), "  ring: order-0",
                "  behind: Task-1, pay-0, pay-1, pay-2, pay-3"});
}

TEST_F(PythonPools, AsyncpgHoldersWaitForAnother) {
  const Target target(Program("asyncpg_pool.py"));
  ExpectOfBoth(target, kHang, Incident("asyncpg_pool.py", "never ends", "pool"));
  const Outcome text = RunTracer({"tasks", "-p", std::to_string(target.pid())});
  const Strings lines = SplitLines(text.output);
  ASSERT_GE(lines.size(), 11U) << text.output;
  EXPECT_THAT(lines[0], testing::StartsWith(
                            "DEADLOCK  asyncpg pool 3/3: all 3 holders wait for it   certain"));
  EXPECT_EQ(lines[3], "  2 x order");
  EXPECT_EQ(lines[4],
            "      holds a connection  list_orders     " + Line("asyncpg_pool.py", "order holds"));
  EXPECT_EQ(lines[5],
            "      waits for another   load_customer   " + Line("asyncpg_pool.py", "another"));
  EXPECT_EQ(lines[6], "  task refresh-prices");
  EXPECT_EQ(lines[7],
            "      holds a connection  refresh_prices  " + Line("asyncpg_pool.py", "job holds"));
  EXPECT_EQ(lines[8],
            "      waits for another   load_customer   " + Line("asyncpg_pool.py", "another"));
  EXPECT_EQ(lines[9],
            "  queued, holding nothing:  4 x pay      pay   " + Line("asyncpg_pool.py", "queued"));
  EXPECT_THAT(text.output, HasSubstr("Pass down what the caller holds"));
}

TEST_F(PythonPools, AsyncpgHoldersWaitWithATimeout) {
  const Target target(Program("asyncpg_pool.py", {"--timeout"}));
  ExpectOfBoth(target, kFindings,
               Incident("asyncpg_pool.py", "ends by timeout", "pool with timeout"));
}

TEST_F(PythonPools, AsyncpgWithEnoughIsSilent) { ExpectSilence("asyncpg_pool.py"); }

}  // namespace
}  // namespace ct::test
