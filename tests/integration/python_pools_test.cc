// Pools of real libraries, with real servers: who has the units that others wait for. Each knot
// with a ticker on the same loop, each with a twin that is as busy and has enough.
#include <memory>
#include <regex>
#include <string>

#include <gmock/gmock.h>

#include "tests/integration/expect.h"
#include "tests/integration/mariadb.h"
#include "tests/integration/postgres.h"
#include "tests/integration/python_programs.h"
#include "tests/integration/redis.h"

namespace ct::test {
namespace {

using testing::HasSubstr;

constexpr const char* kTaskPools = "task_pools.py";

// "task_pools.py:14".
std::string Line(const std::string& mark, const std::string& file = kTaskPools) {
  const std::string line = LineOf("python/pools/" + file, mark);
  return line.substr(line.rfind('/') + 1);
}

Answer TasksOf(pid_t pid) {
  return AnswerOf(RunTracer({"tasks", "-p", std::to_string(pid), "--json"}));
}

// By both ways of looking.
void ExpectOfBoth(const Target& target, int status, const std::string& findings) {
  for (Answer answer : {TasksOf(target.pid()), LookAt(target.pid())}) {
    // Each holder that waits is a ring of its own: which one is shown is all the same.
    answer.findings = std::regex_replace(
        answer.findings, std::regex("\n  ring: (order-1|refresh-prices)\n"), "\n  ring: order-0\n");
    ExpectAnswer(answer, status, findings);
  }
}

void ExpectSilence(const Target& target, int looks = 20) {
  for (int look = 0; look < looks; ++look) {
    const Answer answer = look % 2 == 0 ? TasksOf(target.pid()) : LookAt(target.pid());
    EXPECT_EQ(answer.findings, "");
    EXPECT_EQ(answer.relevant_losses, Strings{});
    EXPECT_EQ(answer.run.status, kNothing);
    SleepFor(Milliseconds(7 + look % 5));
  }
}

// "Task-12" is whatever number came.
std::string WithoutNumbers(const std::string& text) {
  return std::regex_replace(text, std::regex("Task-[0-9]+"), "Task-N");
}

struct Library {
  std::string name;   // as task_pools.py knows it
  std::string pool;   // as it is shown
  std::string where;  // mark of the line that asks for another unit
  std::string queued;
  bool timed = false;    // whoever waits gives up by itself
  std::string option{};  // of the program
  std::string program = kTaskPools;
  Strings modules{};  // that the program imports; none: those of its name
};

void PrintTo(const Library& library, std::ostream* out) { *out << library.name; }

// What the report says of it, to the line.
void ExpectReport(const Target& target, const Library& library) {
  const Outcome text = RunTracer({"tasks", "-p", std::to_string(target.pid())});
  const Strings lines = SplitLines(text.output);
  ASSERT_GE(lines.size(), 11U) << text.output;
  EXPECT_THAT(lines[0], testing::StartsWith("DEADLOCK  " + library.pool +
                                            " 3/3: all 3 holders wait for it   certain"));
  EXPECT_EQ(lines[3], "  2 x order");
  EXPECT_EQ(lines[4],
            "      holds a connection  list_orders     " + Line("order holds", library.program));
  EXPECT_THAT(lines[5], testing::StartsWith("      waits for another   "));
  EXPECT_THAT(lines[5], testing::EndsWith(" " + Line(library.where, library.program)));
  EXPECT_THAT(lines[6], HasSubstr("refresh-prices"));
  EXPECT_EQ(lines[7],
            "      holds a connection  refresh_prices  " + Line("job holds", library.program));
  EXPECT_THAT(lines[8], testing::EndsWith(" " + Line(library.where, library.program)));
  EXPECT_THAT(lines[9], testing::StartsWith("  queued, holding nothing:  4 x pay "));
  EXPECT_THAT(lines[9], testing::EndsWith(" " + Line(library.queued, library.program)));
}

class PythonPools : public testing::TestWithParam<Library> {
 protected:
  static void SetUpTestSuite() {
    postgres_ = std::make_unique<Postgres>(Strings{"max_connections=100"});
    redis_ = std::make_unique<Redis>();
  }
  static void TearDownTestSuite() {
    postgres_.reset();
    redis_.reset();
    mariadb_.reset();
  }

  static Strings Pythons(const Library& library) {
    return InterpretersWith(library.modules.empty() ? Strings{library.name} : library.modules);
  }

  static Strings Program(const std::string& python, const Library& library,
                         const std::string& option) {
    Strings command = PythonProgram(python, "pools/" + library.program);
    command.push_back(library.name);
    command.push_back(ServerOf(library.name));
    if (!option.empty()) command.push_back(option);
    return command;
  }

  // Started once it is asked for: it takes a second.
  static std::string ServerOf(const std::string& library) {
    if (library == "redis") return redis_->socket();
    if (library != "aiomysql") return postgres_->path();
    if (!mariadb_) mariadb_ = std::make_unique<Mariadb>();
    return mariadb_->socket();
  }

  // Two requests and a job have all three units and ask for another; four more are queued.
  static std::string Incident(const Library& library) {
    const std::string pool = library.timed ? "pool with timeout" : "pool";
    const std::string holders = "order-0 and order-1 and refresh-prices";
    const std::string where = Line(library.where, library.program);
    return Lines(
        {std::string("DEADLOCK certain, ") + (library.timed ? "ends by timeout" : "never ends"),
         Waits({"order-0", pool, holders, where}), Waits({"order-1", pool, holders, where}),
         Waits({"refresh-prices", pool, holders, where}), "  ring: order-0",
         library.program == kTaskPools ? "  behind: Task-1, pay-0, pay-1, pay-2, pay-3"
                                       : "  behind: pay-0, pay-1, pay-2, pay-3"});
  }

  static inline std::unique_ptr<Postgres> postgres_;
  static inline std::unique_ptr<Redis> redis_;
  static inline std::unique_ptr<Mariadb> mariadb_;
};

TEST_P(PythonPools, HoldersThatWaitForAnother) {
  const Library& library = GetParam();
  for (const std::string& python : Pythons(library)) {
    SCOPED_TRACE(python);
    const Target target(Program(python, library, library.option));
    ExpectOfBoth(target, library.timed ? kFindings : kHang, Incident(library));
    ExpectReport(target, library);
  }
}

TEST_P(PythonPools, AsManyWithEnoughAreSilent) {
  for (const std::string& python : Pythons(GetParam())) {
    SCOPED_TRACE(python);
    ExpectSilence(Target(Program(python, GetParam(), "--healthy")), LooksAt(python));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Tasks, PythonPools,
    testing::Values(Library{"asyncpg", "asyncpg pool", "another", "queued"},
                    Library{"psycopg",
                            "psycopg_pool pool",
                            "another",
                            "queued",
                            true,
                            "",
                            kTaskPools,
                            {"psycopg_pool"}},
                    Library{"aiopg", "aiopg pool", "another", "queued", true},
                    Library{"aiomysql", "aiomysql pool", "another", "queued"},
                    Library{"redis", "redis pool", "redis takes one", "redis takes one", true},
                    Library{"aiohttp", "aiohttp connector", "another", "queued"},
                    Library{"asyncpg", "asyncpg pool", "another", "queued", true, "--timeout"}),
    [](const auto& info) {
      return info.param.name + (info.param.option.empty() ? "" : "_timeout");
    });

INSTANTIATE_TEST_SUITE_P(Threads, PythonPools,
                         testing::Values(Library{"sqlalchemy",
                                                 "sqlalchemy pool",
                                                 "session takes one",
                                                 "session takes one",
                                                 true,
                                                 "",
                                                 "thread_pools.py",
                                                 {"sqlalchemy", "psycopg2"}},
                                         Library{"psycopg",
                                                 "psycopg_pool pool",
                                                 "another",
                                                 "queued",
                                                 true,
                                                 "",
                                                 "thread_pools.py",
                                                 {"psycopg_pool"}},
                                         Library{"redis", "redis pool", "redis takes one",
                                                 "redis takes one", true, "", "thread_pools.py"}),
                         [](const auto& info) { return info.param.name; });

const Strings kAsyncService = {"fastapi", "uvicorn", "sqlalchemy", "asyncpg"};
const Strings kThreadService = {"fastapi", "uvicorn", "sqlalchemy", "psycopg2"};

class PythonService : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    postgres_ = std::make_unique<Postgres>(Strings{"max_connections=100"});
  }
  static void TearDownTestSuite() { postgres_.reset(); }

  static Strings Program(const std::string& python, const std::string& file,
                         const Strings& options) {
    Strings command = PythonProgram(python, "pools/" + file);
    command.push_back(postgres_->path());
    command.insert(command.end(), options.begin(), options.end());
    return command;
  }

  static inline std::unique_ptr<Postgres> postgres_;
};

// FastAPI on uvicorn with SQLAlchemy's AsyncSession: its pool waits inside a greenlet, its sessions
// come from dependencies that yield them.
TEST_F(PythonService, RequestsThatOpenAnotherSession) {
  for (const std::string& python : InterpretersWith(kAsyncService)) {
    SCOPED_TRACE(python);
    const Target target(Program(python, "orm_service.py", {"async"}));
    const std::string waits = Waits({"2 x GET /orders/{order}", "pool with timeout",
                                     "GET /orders/{order} and GET /orders/{order}",
                                     Line("async another", "orm_service.py")});
    for (const Answer& answer : {TasksOf(target.pid()), LookAt(target.pid())}) {
      EXPECT_EQ(WithoutNumbers(answer.findings),
                Lines({"DEADLOCK certain, ends by timeout", waits, "  ring: GET /orders/{order}",
                       "  behind: 3 x GET /report"}));
      EXPECT_EQ(answer.run.status, kFindings);
      EXPECT_EQ(answer.relevant_losses, Strings{});
    }
    const Strings lines =
        SplitLines(RunTracer({"tasks", "-p", std::to_string(target.pid())}).output);
    ASSERT_GE(lines.size(), 7U);
    EXPECT_THAT(
        lines[0],
        testing::StartsWith("DEADLOCK  sqlalchemy pool 2/2: all 2 holders wait for it   certain"));
    EXPECT_EQ(lines[3], "  2 x GET /orders/{order}");
    EXPECT_EQ(lines[4], "      holds a connection  list_orders    " +
                            Line("async order holds", "orm_service.py"));
    EXPECT_EQ(lines[5], "      waits for another   load_customer  " +
                            Line("async another", "orm_service.py"));
    EXPECT_EQ(lines[6], "  queued, holding nothing:  3 x GET /report  report  " +
                            Line("async queued", "orm_service.py"));
  }
}

TEST_F(PythonService, RequestsWithEnoughAreSilent) {
  for (const std::string& python : InterpretersWith(kAsyncService)) {
    SCOPED_TRACE(python);
    ExpectSilence(Target(Program(python, "orm_service.py", {"async", "--healthy"})));
  }
}

// The same with endpoints that are no coroutines: they run in threads of anyio's, which are called
// what the requests are that wait for them.
TEST_F(PythonService, RequestsInThreadsThatOpenAnotherSession) {
  for (const std::string& python : InterpretersWith(kThreadService)) {
    SCOPED_TRACE(python);
    const Target target(Program(python, "orm_service.py", {"sync"}));
    const std::string waits = Waits({"2 x GET /orders/{order}", "pool with timeout",
                                     "GET /orders/{order} and GET /orders/{order}",
                                     Line("sync another", "orm_service.py")});
    for (const Answer& answer : {TasksOf(target.pid()), LookAt(target.pid())}) {
      ExpectAnswer(answer, kFindings,
                   Lines({"DEADLOCK certain, ends by timeout", waits, "  ring: GET /orders/{order}",
                          "  behind: 2 x GET /orders/{order}, 6 x GET /report"}));
    }
    const Strings lines =
        SplitLines(RunTracer({"tasks", "-p", std::to_string(target.pid())}).output);
    ASSERT_GE(lines.size(), 7U);
    EXPECT_THAT(
        lines[0],
        testing::StartsWith("DEADLOCK  sqlalchemy pool 2/2: all 2 holders wait for it   certain"));
    EXPECT_EQ(lines[3], "  2 x GET /orders/{order}");
    EXPECT_EQ(lines[4], "      holds a connection  list_orders         " +
                            Line("sync order holds", "orm_service.py"));
    EXPECT_EQ(lines[5], "      waits for another   load_sync_customer  " +
                            Line("sync another", "orm_service.py"));
    EXPECT_EQ(lines[6], "  queued, holding nothing:  3 x GET /report  report  " +
                            Line("sync queued", "orm_service.py"));
  }
}

TEST_F(PythonService, RequestsInThreadsWithEnoughAreSilent) {
  for (const std::string& python : InterpretersWith(kThreadService)) {
    SCOPED_TRACE(python);
    ExpectSilence(Target(Program(python, "orm_service.py", {"sync", "--healthy"})));
  }
}

// Two tasks or threads in one session, with no class named on the command line.
TEST_F(PythonService, SessionsThatTwoUseAtOnce) {
  struct Kind {
    const char* mode;
    Strings modules;
    std::string headline;
    std::string mark;
    std::string type;
  };
  const std::vector<Kind> kinds = {
      {"async",
       {"sqlalchemy", "asyncpg"},
       "SHARED_OBJECT  2 tasks, 1 object   ",
       "task is inside",
       "L1 sqlalchemy.ext.asyncio.session.AsyncSession 0x"},
      {"sync",
       {"sqlalchemy", "psycopg2"},
       "SHARED_OBJECT  2 threads, 1 object   ",
       "thread is inside",
       "L1 sqlalchemy.orm.session.Session 0x"},
  };
  for (const Kind& kind : kinds) {
    for (const std::string& python : InterpretersWith(kind.modules)) {
      SCOPED_TRACE(python + " " + kind.mode);
      const Target target(Program(python, "shared_sessions.py", {kind.mode}));
      const Outcome found = RunTracer({"tasks", "-p", std::to_string(target.pid())});
      EXPECT_EQ(found.status, kFindings) << found.output << found.error;
      EXPECT_THAT(found.output, HasSubstr(kind.headline));
      EXPECT_THAT(found.output, HasSubstr(Line(kind.mark, "shared_sessions.py")));
      EXPECT_THAT(found.output, HasSubstr(kind.type));
      ExpectSilence(Target(Program(python, "shared_sessions.py", {kind.mode, "--healthy"})),
                    LooksAt(python));
    }
  }
}

// asyncpg refuses a second query itself; close() waits for the one that goes on.
TEST_F(PythonService, AConnectionThatIsClosedInTheMiddleOfAQuery) {
  const std::string file = "shared_sessions.py";
  for (const std::string& python : InterpretersWith({"sqlalchemy", "asyncpg"})) {
    SCOPED_TRACE(python);
    const Target target(Program(python, file, {"connection"}));
    const Outcome found = RunTracer({"tasks", "-p", std::to_string(target.pid())});
    EXPECT_EQ(found.status, kFindings) << found.output << found.error;
    EXPECT_THAT(found.output, HasSubstr("SHARED_OBJECT  2 tasks, 1 object   "));
    EXPECT_THAT(found.output, HasSubstr("L1 asyncpg.connection.Connection 0x"));
    EXPECT_THAT(found.output, HasSubstr(Line("connection is inside", file)));
    EXPECT_THAT(found.output, HasSubstr(Line("closes the connection", file)));
    ExpectSilence(Target(Program(python, file, {"connection", "--healthy"})), LooksAt(python));
  }
}

TEST_F(PythonService, ConnectionsThatNobodyHas) {
  for (const std::string& python : InterpretersWith({"asyncpg"})) {
    SCOPED_TRACE(python);
    const Target target(Program(python, "leak.py", {}));
    ExpectOfBoth(target, kFindings,
                 Lines({"POOL_LEAK probable, may end",
                        Waits({"pay", "pool", "", Line("waits", "leak.py")}), "  behind: Task-1"}));
    const Outcome text = RunTracer({"tasks", "-p", std::to_string(target.pid())});
    EXPECT_THAT(text.output, HasSubstr("asyncpg pool 2/2: 2 connections held by nobody"));
    EXPECT_THAT(text.output, HasSubstr("still in global __main__.forgotten\n"));
    EXPECT_THAT(text.output, HasSubstr("still in global __main__.state.connection\n"));
  }
}

TEST_F(PythonService, ConnectionsThatAreGivenBackAreSilent) {
  for (const std::string& python : InterpretersWith({"asyncpg"})) {
    SCOPED_TRACE(python);
    ExpectSilence(Target(Program(python, "leak.py", {"--healthy"})));
  }
}

}  // namespace
}  // namespace ct::test
