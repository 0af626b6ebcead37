// doctor --probes: where the functions of a running program would be probed, without doing it.
#include <algorithm>
#include <regex>

#include <gmock/gmock.h>

#include "tests/integration/expect.h"

namespace ct::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

class DoctorProbes : public testing::Test {
 protected:
  Outcome Ask(const Strings& more = {}) const {
    Strings arguments{"doctor", "--probes", "-p", std::to_string(target_.pid())};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunTracer(arguments);
  }
  // The lines of a function, by its whole name.
  static Strings LinesOf(const Outcome& run, const std::string& function) {
    Strings lines;
    for (const std::string& line : SplitLines(run.output)) {
      if (line.starts_with("  ") && line.find(" " + function + " ") != std::string::npos) {
        lines.push_back(line);
      }
    }
    return lines;
  }

  const Target target_{"leased_pool"};
};

TEST_F(DoctorProbes, PlacesMutexesWhereTheKernelEmulates) {
  const Outcome run = Ask();
  EXPECT_EQ(run.error, "");
  for (const std::string function : {"pthread_mutex_lock", "pthread_mutex_unlock"}) {
    const Strings lines = LinesOf(run, function);
    ASSERT_EQ(lines.size(), 1U) << run.output;
    EXPECT_THAT(lines[0], ContainsRegex("libc.so.6 +cheap +\\+[0-9]+ "));
  }
  EXPECT_THAT(run.output, HasSubstr("Nothing here of: "));
}

TEST_F(DoctorProbes, FindsAPoolOfOnesOwnWithItsOverloads) {
  const Outcome run =
      Ask({"--pool", "leased_pool:ConnectionPool::acquire,ConnectionPool::release"});
  EXPECT_EQ(LinesOf(run, "app::ConnectionPool::acquire()").size(), 1U) << run.output;
  EXPECT_EQ(LinesOf(run, "app::ConnectionPool::acquire(int)").size(), 1U);
  EXPECT_EQ(LinesOf(run, "app::ConnectionPool::release(app::Connection*)").size(), 1U);
  EXPECT_EQ(run.status, kNothing);
  const Outcome one =
      Ask({"--pool", "exe:app::ConnectionPool::acquire(int),ConnectionPool::release"});
  EXPECT_EQ(LinesOf(one, "app::ConnectionPool::acquire()").size(), 0U) << one.output;
  EXPECT_EQ(LinesOf(one, "app::ConnectionPool::acquire(int)").size(), 1U);
}

TEST_F(DoctorProbes, SaysThatAPoolIsNotThere) {
  const Outcome run = Ask({"--pool", "exe:CarPool::acquire,CarPool::release"});
  EXPECT_EQ(run.status, kNotSeen);
  EXPECT_THAT(run.output, HasSubstr("pool CarPool::acquire (--pool)\n  not here: no file exe"));
}

TEST_F(DoctorProbes, RefusesWhatMakesNoSense) {
  EXPECT_EQ(RunTracer({"doctor", "--probes"}).status, kUsage);
  EXPECT_EQ(RunTracer({"doctor", "-p", "1"}).status, kUsage);
  const Outcome pool = Ask({"--pool", "nonsense"});
  EXPECT_EQ(pool.status, kUsage);
  EXPECT_THAT(pool.error, HasSubstr("nonsense"));
  const Outcome gone = RunTracer({"doctor", "--probes", "-p", "1073741824"});
  EXPECT_NE(gone.status, kNothing);
  EXPECT_NE(gone.error, "");
}

}  // namespace
}  // namespace ct::test
