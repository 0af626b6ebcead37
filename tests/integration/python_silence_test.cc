// Healthy programs of every kind, each looked at two hundred times: never a word, and hardly an
// object that was torn.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>

#include <gtest/gtest.h>

#include "tests/integration/expect.h"
#include "tests/integration/mariadb.h"
#include "tests/integration/postgres.h"
#include "tests/integration/python_programs.h"
#include "tests/integration/redis.h"

namespace ct::test {
namespace {

constexpr std::size_t kLooks = 200;

// A program, and a tracer that looks at it ten times a second and writes what it sees to a file.
class Watched {
 public:
  Watched(const Strings& command, std::string file)
      : name_(command[2]),
        file_(std::move(file)),
        target_(command),
        // The programs' own classes, of which some are used by one at a time.
        tracer_({CT_TRACER_PATH, "tasks", "-p", std::to_string(target_.pid()), "--every", "100ms",
                 "--json", "--exclusive-class", "__main__.Session", "--exclusive-class",
                 "__main__.Ledger", "--exclusive-class", "__main__.Cart"},
                IntoFile(file_)) {}

  [[nodiscard]] Strings Lines() const {
    Strings lines;
    std::ifstream in(file_);
    for (std::string line; std::getline(in, line) && !in.eof();) lines.push_back(line);
    return lines;
  }
  void Check() {
    SCOPED_TRACE(name_);
    tracer_.Signal(SIGINT);
    tracer_.Wait(Milliseconds(20'000));
    for (const std::string& line : Lines()) {
      Outcome run;
      run.output = line;
      const Answer answer = AnswerOf(run);
      EXPECT_EQ(answer.findings, "");
      EXPECT_EQ(answer.relevant_losses, Strings{});
      Count(answer.snapshot);
    }
    std::uint64_t skipped = 0;
    std::string reasons;
    for (const auto& [reason, count] : skipped_) {
      skipped += count;
      reasons += std::to_string(count) + " x " + reason + "\n";
    }
    EXPECT_GT(read_, kLooks);
    EXPECT_LT(100 * skipped, read_) << "of " << read_ << "\n" << reasons;
  }

 private:
  // What was read, and what could not be, by the tracer's own account.
  void Count(const v1::Snapshot& snapshot) {
    for (const v1::Actor& actor : snapshot.actors()) {
      ++read_;
      if (!actor.has_user_stack()) continue;
      read_ += static_cast<std::uint64_t>(
          snapshot.stacks(static_cast<int>(actor.user_stack())).frames_size());
    }
    for (const v1::Observation& observation : snapshot.observations()) {
      for (const v1::Loss& loss : observation.losses()) {
        const std::string& reason = loss.reason();
        if (reason.starts_with("of Python: ")) skipped_[reason] += loss.count();
      }
    }
  }
  static SpawnOptions IntoFile(const std::string& path) {
    SpawnOptions options;
    options.before_exec = [path] {
      dup2(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600), STDOUT_FILENO);
    };
    return options;
  }

  std::string name_;
  std::string file_;
  Target target_;
  Child tracer_;
  std::uint64_t read_ = 0;  // threads and tasks with their frames
  std::map<std::string, std::uint64_t> skipped_;
};

void ExpectSilence(const std::vector<Strings>& commands) {
  const TempDir directory;
  std::vector<std::unique_ptr<Watched>> all;
  for (const Strings& command : commands) {
    all.push_back(
        std::make_unique<Watched>(command, directory.File(std::to_string(all.size()) + ".json")));
  }
  const auto enough = [](const auto& watched) { return watched->Lines().size() >= kLooks; };
  for (int i = 0; i < 500 && !std::all_of(all.begin(), all.end(), enough); ++i) {
    SleepFor(Milliseconds(1000));
  }
  for (const auto& watched : all) {
    EXPECT_GE(watched->Lines().size(), kLooks);
    watched->Check();
  }
}

Strings Python(const Strings& program) {
  Strings command = PythonProgram(CT_PYTHON, program.front());
  command.insert(command.end(), program.begin() + 1, program.end());
  return command;
}

Strings Article(const std::string& name, const Strings& options = {}) {
  Strings command = {CT_PYTHON, "-B", SourcePath("article/" + name + ".py")};
  command.insert(command.end(), options.begin(), options.end());
  return command;
}

// With less CPU than all of them want.
TEST(PythonSilence, FiveAtOnce) {
  ExpectSilence({
      Python({"task_deadlocks.py", "--locks", "--bare", "--semaphore", "--gather", "--healthy"}),
      Python({"thread_deadlocks.py", "--locks", "--rlocks", "--bare", "--twice", "--conditions",
              "--semaphore", "--three", "--owner", "--join", "--executor", "--condition", "--idle",
              "--healthy"}),
      Python({"border_deadlocks.py", "--lock-of-task", "--cross", "--cross-task", "--worker",
              "--healthy"}),
      Python({"forgotten.py", "--healthy"}),
      Python({"asgi_service.py", "fastapi", "--healthy"}),
  });
}

struct Twin {
  std::string name;
  Strings command;
};

void PrintTo(const Twin& twin, std::ostream* out) { *out << twin.name; }

class PythonTwin : public testing::TestWithParam<Twin> {};

TEST_P(PythonTwin, IsSilentInTwoHundredLooks) { ExpectSilence({GetParam().command}); }

std::string NameOf(const testing::TestParamInfo<Twin>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Tasks, PythonTwin,
    testing::Values(
        // Waits for several apart from the others: so many at one lock are a HOT_LOCK.
        Twin{"several", Python({"task_deadlocks.py", "--group", "--wait-all", "--wait-first",
                                "--three", "--healthy"})},
        Twin{"anyio", Python({"task_deadlocks.py", "--anyio", "--locks", "--scope", "--shield",
                              "--healthy"})},
        Twin{"uvloop", Python({"task_deadlocks.py", "--uvloop", "--locks", "--bare", "--semaphore",
                               "--gather", "--healthy"})},
        Twin{"abandoned_locks", Python({"abandoned_locks.py", "--leak", "--store", "--owner",
                                        "--async", "--healthy"})},
        Twin{"futures", Python({"stuck_requests.py", "--lost", "--healthy"})},
        Twin{"sessions", Python({"shared_uses.py", "--session", "--healthy"})},
        Twin{"locals", Python({"shared_uses.py", "--local", "--healthy"})},
        Twin{"starlette", Python({"asgi_service.py", "starlette", "--healthy"})},
        Twin{"requests", Python({"stuck_requests.py", "--healthy"})}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Threads, PythonTwin,
    testing::Values(Twin{"own_loop", Python({"border_deadlocks.py", "--own-loop", "--gil",
                                             "--uvloop", "--healthy"})},
                    Twin{"process_pool_of_tasks", Python({"process_pool.py", "task", "--healthy"})},
                    Twin{"process_pool_of_threads",
                         Python({"process_pool.py", "thread", "--healthy"})},
                    Twin{"objects", Python({"shared_uses.py", "--threads", "--healthy"})},
                    Twin{"sqlite", Python({"shared_uses.py", "--sqlite", "--healthy"})}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    OwnPools, PythonTwin,
    testing::Values(Twin{"condition", Python({"pools/own_pools.py", "condition", "healthy"})},
                    Twin{"queue", Python({"pools/own_pools.py", "queue", "healthy"})},
                    Twin{"threads", Python({"pools/own_thread_pools.py", "healthy"})},
                    Twin{"work_of_tasks",
                         Python({"pools/own_pools.py", "condition", "work", "--careful"})},
                    Twin{"work_of_threads", Python({"pools/own_thread_pools.py", "work"})}),
    NameOf);

INSTANTIATE_TEST_SUITE_P(
    Article, PythonTwin,
    testing::Values(Twin{"slow_is_not_stuck", Article("slow_is_not_stuck")},
                    Twin{"silent_exception", Article("silent_exception", {"--retrieved"})},
                    Twin{"forgotten_await", Article("forgotten_await", {"--awaited"})},
                    Twin{"thread_local", Article("thread_local_in_tasks", {"--contextvars"})},
                    Twin{"shared_object", Article("shared_object", {"--locked"})}),
    NameOf);

// Pools of libraries, with real servers.
enum class Server { kPostgres, kRedis, kMariadb };

struct PoolTwin {
  std::string name;
  Server server = Server::kPostgres;
  Strings program;
  std::size_t place = 2;  // of the server's path among its words
};

void PrintTo(const PoolTwin& twin, std::ostream* out) { *out << twin.name; }

class PythonPoolTwin : public testing::TestWithParam<PoolTwin> {
 protected:
  void ExpectSilenceAt(const std::string& server) {
    Strings program = GetParam().program;
    program.insert(program.begin() + static_cast<std::ptrdiff_t>(GetParam().place), server);
    ExpectSilence({Python(program)});
  }
};

TEST_P(PythonPoolTwin, IsSilentInTwoHundredLooks) {
  switch (GetParam().server) {
    case Server::kPostgres:
      return ExpectSilenceAt(Postgres(Strings{"max_connections=100"}).path());
    case Server::kRedis:
      return ExpectSilenceAt(Redis().socket());
    case Server::kMariadb:
      return ExpectSilenceAt(Mariadb().socket());
  }
}

PoolTwin Library(const std::string& file, const std::string& library,
                 Server server = Server::kPostgres) {
  const std::string kind = file == "task_pools.py" ? "tasks" : "threads";
  return {library + "_" + kind, server, {"pools/" + file, library, "--healthy"}};
}

INSTANTIATE_TEST_SUITE_P(
    Pools, PythonPoolTwin,
    testing::Values(
        Library("task_pools.py", "asyncpg"), Library("task_pools.py", "psycopg"),
        Library("task_pools.py", "aiopg"), Library("task_pools.py", "aiomysql", Server::kMariadb),
        Library("task_pools.py", "redis", Server::kRedis), Library("task_pools.py", "aiohttp"),
        Library("thread_pools.py", "sqlalchemy"), Library("thread_pools.py", "psycopg"),
        Library("thread_pools.py", "redis", Server::kRedis),
        PoolTwin{"orm_async", Server::kPostgres, {"pools/orm_service.py", "async", "--healthy"}, 1},
        PoolTwin{"orm_sync", Server::kPostgres, {"pools/orm_service.py", "sync", "--healthy"}, 1},
        PoolTwin{"sessions_async",
                 Server::kPostgres,
                 {"pools/shared_sessions.py", "async", "--healthy"},
                 1},
        PoolTwin{"sessions_sync",
                 Server::kPostgres,
                 {"pools/shared_sessions.py", "sync", "--healthy"},
                 1},
        PoolTwin{"connections",
                 Server::kPostgres,
                 {"pools/shared_sessions.py", "connection", "--healthy"},
                 1},
        PoolTwin{"leak", Server::kPostgres, {"pools/leak.py", "--healthy"}, 1}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ct::test
