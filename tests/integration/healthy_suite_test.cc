// Real servers and busy programs, together and at once for a minute: not one false alarm.
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <stdexcept>

#include "tests/integration/expect.h"

namespace ct::test {
namespace {

constexpr const char* kPostgresUser = "postgres";
constexpr const char* kDuration = "60s";

// Debian and Ubuntu keep the server's programs out of PATH, by version.
std::string PostgresProgram(const std::string& name) {
  Strings found;
  std::error_code error;
  for (std::filesystem::directory_iterator version("/usr/lib/postgresql", error), end;
       !error && version != end; version.increment(error)) {
    const std::string program = version->path() / "bin" / name;
    if (std::filesystem::exists(program)) found.push_back(program);
  }
  if (found.empty()) throw std::runtime_error("no " + name + ": run deploy/bootstrap --test");
  return *std::max_element(found.begin(), found.end());
}

void BecomePostgres() {
  const passwd* user = getpwnam(kPostgresUser);
  if (user == nullptr || setgroups(0, nullptr) != 0 || setgid(user->pw_gid) != 0 ||
      setuid(user->pw_uid) != 0) {
    _exit(126);
  }
}

// A program of the server, run to its end as user postgres.
void RunToEnd(const Strings& command, const std::string& directory) {
  SpawnOptions options;
  options.directory = directory;
  options.before_exec = BecomePostgres;
  Child child(command, options);
  const int status = ExitStatusOf(child.Wait(std::chrono::seconds(60)));
  if (status != 0) throw std::runtime_error(command[0] + ": " + child.output() + child.error());
}

// A PostgreSQL server on a socket in its own directory.
class Postgres {
 public:
  Postgres() {
    const passwd* user = getpwnam(kPostgresUser);
    if (user == nullptr) throw std::runtime_error("no user postgres: run deploy/bootstrap --test");
    if (chown(directory_.path().c_str(), user->pw_uid, user->pw_gid) != 0) {
      throw std::runtime_error("chown " + directory_.path());
    }
    const std::string data = directory_.File("data");
    RunToEnd({PostgresProgram("initdb"), "-D", data, "-A", "trust", "--no-sync"}, path());
    SpawnOptions options;
    options.directory = path();
    options.before_exec = BecomePostgres;
    server_ = std::make_unique<Child>(Strings{PostgresProgram("postgres"), "-D", data, "-k", path(),
                                              "-c", "listen_addresses=", "-c", "fsync=off"},
                                      options);
    AwaitReady();
  }

  [[nodiscard]] const std::string& path() const { return directory_.path(); }

  // pgbench's own schema and its mixed load, from `clients` connections.
  std::unique_ptr<Child> Load(int clients) {
    const std::string pgbench = PostgresProgram("pgbench");
    RunToEnd({pgbench, "-h", path(), "-i", "-q", "-s", "2", "postgres"}, path());
    SpawnOptions options;
    options.directory = path();
    options.before_exec = BecomePostgres;
    return std::make_unique<Child>(Strings{pgbench, "-h", path(), "-n", "-c",
                                           std::to_string(clients), "-T", "600", "postgres"},
                                   options);
  }

 private:
  void AwaitReady() const {
    const std::string isready = PostgresProgram("pg_isready");
    for (int attempt = 0; attempt < 200; ++attempt) {
      Child child({isready, "-h", path(), "-q"});
      if (ExitStatusOf(child.Wait(std::chrono::seconds(10))) == 0) return;
      SleepFor(Milliseconds(100));
    }
    throw std::runtime_error("PostgreSQL does not start");
  }

  TempDir directory_;
  std::unique_ptr<Child> server_;
};

Strings Java(const Strings& options) {
  Strings command{"java", "-cp", CT_TARGETS_DIR, "JvmPool"};
  command.insert(command.end(), options.begin(), options.end());
  return command;
}

Strings Python(const Strings& options) {
  Strings command{CT_PYTHON, TargetPath("python_pool.py")};
  command.insert(command.end(), options.begin(), options.end());
  return command;
}

bool IsAlarm(const std::string& line) {
  return line.starts_with("DEADLOCK") || line.starts_with("PROBABLE_DEADLOCK") ||
         line.starts_with("ABANDONED_LOCK") || line.starts_with("LONG_WAIT");
}

TEST(HealthySuite, AMinuteWithoutAFalseAlarm) {
  Postgres idle_postgres;
  Postgres postgres;
  const auto pgbench = postgres.Load(8);
  const TempDir directory;
  const Child redis({"redis-server", "--port", "0", "--unixsocket", directory.File("redis.sock"),
                     "--save", "", "--io-threads", "2"});
  while (!std::filesystem::exists(directory.File("redis.sock"))) SleepFor(Milliseconds(20));
  const Child redis_benchmark({"redis-benchmark", "-s", directory.File("redis.sock"), "-q", "-l",
                               "-c", "20", "-t", "set,get"});
  const Target idle_jvm(Java({}));
  const Target jvm(Java({"--load"}));
  const Target idle_python(Python({}));
  const Target python(Python({"--load"}));
  const Target ping_pong("ping_pong");
  const Target hot_lock("hot_lock");

  SpawnOptions options;
  options.directory = directory.path();
  const Outcome run = RunTracer({"-d", kDuration}, options, std::chrono::seconds(90));

  const Strings lines = SplitLines(run.output);
  EXPECT_TRUE(std::none_of(lines.begin(), lines.end(), IsAlarm)) << run.output;
  // HOT_LOCK is allowed, and is all that may have been found.
  EXPECT_TRUE(run.status == kNothing || run.status == kFindings) << run.status << "\n"
                                                                 << run.output << run.error;
  EXPECT_GT(run.seconds, 59);
  for (const std::string& file : directory.List()) {
    EXPECT_FALSE(file.ends_with(".pb")) << "a hang was written to " << file;
  }
}

}  // namespace
}  // namespace ct::test
