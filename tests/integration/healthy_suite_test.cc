// Real servers and busy programs, together and at once for a minute: not one false alarm.
#include <algorithm>
#include <filesystem>

#include "tests/integration/expect.h"
#include "tests/integration/postgres.h"

namespace ct::test {
namespace {

constexpr const char* kDuration = "60s";

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
