#include "tests/integration/postgres.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include <sys/prctl.h>

#include "tests/integration/expect.h"

namespace ct::test {
namespace {

constexpr const char* kPostgresUser = "postgres";

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
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // which a change of user has cleared
}

// A program of the server, as user postgres.
std::unique_ptr<Child> Start(const Strings& command, const std::string& directory) {
  SpawnOptions options;
  options.directory = directory;
  options.before_exec = BecomePostgres;
  return std::make_unique<Child>(command, options);
}

std::string RunToEnd(const Strings& command, const std::string& directory) {
  const std::unique_ptr<Child> child = Start(command, directory);
  const int status = ExitStatusOf(child->Wait(std::chrono::seconds(60)));
  if (status != 0) throw std::runtime_error(command[0] + ": " + child->output() + child->error());
  return child->output();
}

}  // namespace

Postgres::Postgres(const Strings& settings) {
  const passwd* user = getpwnam(kPostgresUser);
  if (user == nullptr) throw std::runtime_error("no user postgres: run deploy/bootstrap --test");
  if (chown(path().c_str(), user->pw_uid, user->pw_gid) != 0) {
    throw std::runtime_error("chown " + path());
  }
  const std::string data = directory_.File("data");
  RunToEnd({PostgresProgram("initdb"), "-D", data, "-A", "trust", "--no-sync"}, path());
  Strings command{PostgresProgram("postgres"), "-D", data, "-k", path()};
  Strings all{"listen_addresses=", "fsync=off"};
  all.insert(all.end(), settings.begin(), settings.end());
  for (const std::string& setting : all) command.insert(command.end(), {"-c", setting});
  server_ = Start(command, path());
  AwaitReady();
}

std::unique_ptr<Child> Postgres::Load(int clients) {
  Run("pgbench", {"-i", "-q", "-s", "2"});
  return Client("pgbench", {"-n", "-c", std::to_string(clients), "-T", "600"});
}

std::unique_ptr<Child> Postgres::Client(const std::string& program, const Strings& arguments) {
  Strings command{PostgresProgram(program), "-h", path()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  command.emplace_back("postgres");
  return Start(command, path());
}

std::string Postgres::Run(const std::string& program, const Strings& arguments) {
  const std::unique_ptr<Child> child = Client(program, arguments);
  const int status = ExitStatusOf(child->Wait(std::chrono::seconds(60)));
  if (status != 0) throw std::runtime_error(program + ": " + child->output() + child->error());
  return child->output();
}

void Postgres::AwaitReady() const {
  const std::string isready = PostgresProgram("pg_isready");
  for (int attempt = 0; attempt < 200; ++attempt) {
    Child child({isready, "-h", path(), "-q"});
    if (ExitStatusOf(child.Wait(std::chrono::seconds(10))) == 0) return;
    SleepFor(Milliseconds(100));
  }
  throw std::runtime_error("PostgreSQL does not start");
}

}  // namespace ct::test
