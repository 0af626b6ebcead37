// Where a wait was is right, in every language: the functions that waited and, where there is debug
// information, their lines. Each target makes a known number of waits of 20 ms.
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <ostream>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/counting.h"
#include "tests/integration/expect.h"
#include "tests/integration/postgres.h"

namespace ct::test {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;

using Counts = std::map<std::string, std::uint64_t>;

constexpr std::uint64_t kWaits = 20;
constexpr double kHeldMilliseconds = 20;

// Whatever it costs on a machine that has other things to do.
Strings Of(const Target& target) {
  return {"-p", std::to_string(target.pid()), "--max-overhead", "100"};
}

double WaitedMilliseconds(const Target& target) {
  return static_cast<double>(target.Fact("waited")) / 1e6;
}

Counted CountToTheEnd(Target& target) {
  Counting counting(Of(target));
  target.Signal(SIGUSR1);
  target.Await("DONE");
  return counting.Stop();
}

// The rows of what the target's waiter waited for.
std::vector<CountedLock> OfWaiter(const Counted& counted, const std::string& what) {
  std::vector<CountedLock> rows;
  for (const CountedLock& lock : counted.locks) {
    if (lock.what == what && lock.threads.contains("waiter")) rows.push_back(lock);
  }
  return rows;
}

Strings Functions(const CountedStack& stack) {
  Strings functions;
  for (const CountedFrame& frame : stack.frames) functions.push_back(frame.function);
  return functions;
}

// All of the waiter's waits and no others; each slept at least while it was held, and the waiter's
// own clock runs longer than the kernel's wait.
void ExpectAllWaits(const CountedLock& lock, const Target& target) {
  EXPECT_EQ(lock.waits, kWaits);
  EXPECT_EQ(lock.threads, (Counts{{"waiter", kWaits}}));
  EXPECT_EQ(lock.waiters, 0U);
  EXPECT_GE(lock.milliseconds, kWaits * kHeldMilliseconds);
  EXPECT_LE(lock.milliseconds, WaitedMilliseconds(target));
}

// One stack for all of them.
const CountedStack& OnlyStack(const CountedLock& lock) {
  if (lock.stacks.size() != 1) {
    throw std::runtime_error(std::to_string(lock.stacks.size()) + " stacks instead of one");
  }
  EXPECT_EQ(lock.stacks[0].waits, kWaits);
  EXPECT_TRUE(lock.stacks[0].complete) << lock.stacks[0].Text();
  return lock.stacks[0];
}

TEST(ContentionStacks, OfInlinedFunctionsOfOptimizedCode) {
  Target target("inlined_waits");
  const Counted counted = CountToTheEnd(target);
  EXPECT_THAT(counted.losses, IsEmpty());
  const CountedLock& lock = counted.Only();
  EXPECT_EQ(lock.what, "std::mutex g_account");
  EXPECT_EQ(lock.purpose, "acquire");
  ExpectAllWaits(lock, target);
  const CountedStack& stack = OnlyStack(lock);
  EXPECT_THAT(stack.Own(),
              ElementsAre("Account::Deposit " + LineOf("inlined_waits.cc", "waiter waits"),
                          EndsWith("PayOut " + LineOf("inlined_waits.cc", "waiter pays")),
                          EndsWith("::RunWaiter " + LineOf("inlined_waits.cc", "waiter runs"))))
      << stack.Text();
  for (const CountedFrame& frame : stack.frames) {
    if (frame.own) {
      EXPECT_EQ(frame.inlined, !frame.function.ends_with("RunWaiter")) << stack.Text();
    }
  }
}

TEST(ContentionStacks, OfRust) {
  Target target("rust_waits");
  const Counted counted = CountToTheEnd(target);
  EXPECT_THAT(counted.losses, IsEmpty());
  const std::vector<CountedLock> contended = counted.Contended();
  ASSERT_EQ(contended.size(), 1U) << counted.run.output;
  EXPECT_EQ(contended[0].what, "std::sync::Mutex rust_waits::ACCOUNT");
  ExpectAllWaits(contended[0], target);
  const CountedStack& stack = OnlyStack(contended[0]);
  EXPECT_THAT(stack.Own(),
              ElementsAre("rust_waits::deposit " + LineOf("rust_waits.rs", "waiter waits"),
                          "rust_waits::wait_all " + LineOf("rust_waits.rs", "waiter deposits")))
      << stack.Text();
}

// A Python lock may be anything: a Condition, a Queue and a join wait by it, too.
TEST(ContentionStacks, OfPython) {
  Target target(Strings{CT_PYTHON, TargetPath("python_waits.py")});
  const Counted counted = CountToTheEnd(target);
  EXPECT_THAT(counted.losses, IsEmpty());
  const std::vector<CountedLock> locks = OfWaiter(counted, "CPython lock");
  ASSERT_EQ(locks.size(), 1U) << counted.run.output;
  EXPECT_EQ(locks[0].purpose, "event");
  ExpectAllWaits(locks[0], target);
  const CountedStack& stack = OnlyStack(locks[0]);
  // The second since 3.13.
  EXPECT_TRUE(stack.Has("PyThread_acquire_lock_timed") || stack.Has("_PyMutex_LockTimed"))
      << stack.Text();
  EXPECT_TRUE(stack.Has("_PyEval_EvalFrameDefault")) << stack.Text();
  EXPECT_TRUE(stack.Has("start_thread")) << stack.Text();
}

// Who computes gives it away every 5 ms, if another wants it.
TEST(ContentionStacks, OfPythonsGlobalLock) {
  const Target target(Strings{CT_PYTHON, TargetPath("python_pool.py"), "--compute"});
  Counting counting(Of(target));
  SleepFor(std::chrono::seconds(2));
  const Counted counted = counting.Stop();
  const auto& locks = counted.locks;
  const auto gil = std::find_if(locks.begin(), locks.end(), [](const CountedLock& lock) {
    return lock.what.starts_with("GIL");
  });
  ASSERT_NE(gil, locks.end()) << counted.run.output;
  EXPECT_EQ(gil->purpose, "acquire");
  EXPECT_GT(gil->waits, 20U);
  EXPECT_EQ(std::count_if(locks.begin(), locks.end(),
                          [](const CountedLock& lock) { return lock.what.starts_with("GIL"); }),
            1);
  ASSERT_THAT(gil->stacks, Not(IsEmpty()));
  for (const CountedStack& stack : gil->stacks) {
    EXPECT_TRUE(stack.Has("_PyEval_EvalFrameDefault")) << stack.Text();
  }
}

struct JavaLock {
  std::string name;  // the target's argument
  std::string what;
  std::string purpose;
  Strings functions;   // of the JVM
  std::string method;  // of the target
};
std::ostream& operator<<(std::ostream& out, const JavaLock& lock) { return out << lock.name; }

class OfJava : public testing::TestWithParam<JavaLock> {
 protected:
  void Count(Target& target, const std::string& start) {
    Counting counting(Of(target));
    WriteWhole(start, "");
    target.Await("DONE");
    const Counted counted = counting.Stop();
    const std::vector<CountedLock> locks = OfWaiter(counted, GetParam().what);
    ASSERT_EQ(locks.size(), 1U) << counted.run.output;
    lock_ = locks[0];
  }

  // Who waits for a monitor wakes up now and then to look: a wait of the program may be several.
  void ExpectWaits(const Target& target) const {
    EXPECT_EQ(lock_.purpose, GetParam().purpose);
    EXPECT_GE(lock_.waits, kWaits);
    EXPECT_LE(lock_.waits, 100 * kWaits);
    EXPECT_LE(lock_.milliseconds, WaitedMilliseconds(target));
    EXPECT_GE(lock_.milliseconds, kWaits * kHeldMilliseconds / 2);
    ASSERT_THAT(lock_.stacks, Not(IsEmpty()));
    for (const CountedStack& stack : lock_.stacks) {
      EXPECT_TRUE(stack.complete) << stack.Text();
      EXPECT_THAT(Functions(stack), IsSupersetOf(GetParam().functions)) << stack.Text();
      EXPECT_TRUE(stack.Has("JavaCalls::call_helper")) << stack.Text();
      EXPECT_TRUE(stack.Has("start_thread")) << stack.Text();
    }
  }

  TempDir directory_;
  CountedLock lock_;
};

// Code that has no file has no name.
TEST_P(OfJava, EndsInTheJvm) {
  const std::string start = directory_.File("start");
  Target target(
      Strings{"java", "-Xshare:auto", "-cp", CT_TARGETS_DIR, "JvmWaits", GetParam().name, start});
  ASSERT_NO_FATAL_FAILURE(Count(target, start));
  ExpectWaits(target);
  for (const CountedStack& stack : lock_.stacks) {
    const bool unnamed = std::any_of(
        stack.frames.begin(), stack.frames.end(),
        [](const CountedFrame& frame) { return frame.module.empty() && frame.function.empty(); });
    EXPECT_TRUE(unnamed) << stack.Text();
    EXPECT_EQ(stack.Text().find("JvmWaits"), std::string::npos) << stack.Text();
  }
}

// The JVM writes it where perf looks for it.
class PerfMap {
 public:
  explicit PerfMap(pid_t pid) : path_("/tmp/perf-" + std::to_string(pid) + ".map") {
    Child jcmd({"jcmd", std::to_string(pid), "Compiler.perfmap"});
    const int status = ExitStatusOf(jcmd.Wait(std::chrono::seconds(60)));
    if (status != 0 || !std::filesystem::exists(path_)) {
      throw std::runtime_error("no perf map: " + jcmd.output() + jcmd.error());
    }
  }
  ~PerfMap() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  PerfMap(const PerfMap&) = delete;
  PerfMap& operator=(const PerfMap&) = delete;

 private:
  std::string path_;
};

// The target's methods are compiled when they are first called, once, and each for itself: the map
// knows nothing of what was inlined. Without frame pointers their callers would be passed over.
TEST_P(OfJava, NamesMethodsFromAPerfMap) {
  const std::string start = directory_.File("start");
  Target target(Strings{"java", "-Xshare:auto", "-Xcomp", "-XX:TieredStopAtLevel=1",
                        "-XX:+PreserveFramePointer", "-XX:CompileCommand=quiet",
                        "-XX:CompileCommand=compileonly,JvmWaits::deposit*",
                        "-XX:CompileCommand=dontinline,JvmWaits::deposit*", "-cp", CT_TARGETS_DIR,
                        "JvmWaits", GetParam().name, start});
  const PerfMap map(target.pid());
  ASSERT_NO_FATAL_FAILURE(Count(target, start));
  ExpectWaits(target);
  // Below it deposit(), waitAll(), the lambda's two methods, Thread.run(), and what called that.
  const Strings outer{"void JvmWaits.deposit(boolean)", "Interpreter", "Interpreter", "Interpreter",
                      "Interpreter"};
  for (const CountedStack& stack : lock_.stacks) {
    const Strings functions = Functions(stack);
    const auto inner =
        std::find(functions.begin(), functions.end(), "void JvmWaits." + GetParam().method + "()");
    ASSERT_NE(inner, functions.end()) << stack.Text();
    ASSERT_GT(functions.end() - inner, 7) << stack.Text();
    EXPECT_EQ(Strings(inner + 1, inner + 6), outer) << stack.Text();
    EXPECT_TRUE((inner + 6)->starts_with("StubRoutines")) << stack.Text();
    EXPECT_EQ(*(inner + 7), "JavaCalls::call_helper") << stack.Text();
  }
}

INSTANTIATE_TEST_SUITE_P(ContentionStacks, OfJava,
                         testing::Values(JavaLock{"monitor",
                                                  "Java monitor",
                                                  "acquire",
                                                  {"os::PlatformEvent::park",
                                                   "ObjectMonitor::enter"},
                                                  "depositInMonitor"},
                                         JavaLock{"lock",
                                                  "LockSupport.park",
                                                  "event",
                                                  {"Parker::park", "Unsafe_Park"},
                                                  "depositWithLock"}),
                         testing::PrintToStringParamName());

// A process that commits sleeps for 5 ms with the lock of the write-ahead log, so that the others
// wait for it. A lock of PostgreSQL has a semaphore of each process that waits.
TEST(ContentionStacks, OfLocksInsidePostgres) {
  Postgres postgres({"fsync=on", "commit_delay=5000", "commit_siblings=0"});
  postgres.Run("psql", {"-q", "-c", "CREATE TABLE entries (amount int)"});
  const TempDir directory;
  WriteWhole(directory.File("insert.sql"), "INSERT INTO entries VALUES (1);\n");
  std::filesystem::permissions(directory.path(), std::filesystem::perms(0755));
  Counting counting({"--comm", "postgres", "--max-overhead", "100"});
  postgres.Run("pgbench", {"-n", "-c", "4", "-t", "500", "-f", directory.File("insert.sql")});
  const Counted counted = counting.Stop();
  std::uint64_t waits = 0;
  for (const CountedLock& lock : counted.locks) {
    for (const CountedStack& stack : lock.stacks) {
      // There are others, such as the wait for a record that is still being written.
      if (!stack.Has("LWLockAcquire") || !stack.Has("XLogFlush")) continue;
      if (!stack.Has("CommitTransactionCommand")) continue;
      EXPECT_EQ(lock.what, "PostgreSQL LWLock");
      EXPECT_EQ(lock.purpose, "acquire");
      EXPECT_TRUE(stack.complete) << stack.Text();
      EXPECT_TRUE(stack.Has("PGSemaphoreLock")) << stack.Text();
      EXPECT_TRUE(stack.Has("PostgresMain")) << stack.Text();
      waits += stack.waits;
    }
  }
  EXPECT_GT(waits, 100U) << counted.run.error;
}

// The locks of its tables and rows are waited for in epoll_wait(2): nothing that is counted.
TEST(ContentionStacks, OfLocksOfTablesInPostgresAreNotSeen) {
  Postgres postgres;
  postgres.Run("psql", {"-q", "-c", "CREATE TABLE entries (amount int)"});
  const auto session = [&](const std::string& sql) {
    return postgres.Client("psql", {"-q", "-A", "-t", "-c", sql});
  };
  const std::string lock = "LOCK TABLE entries; ";
  const auto holder = session("BEGIN; " + lock + "SELECT pg_sleep(600)");
  const auto locks = [&](const std::string& condition) {
    return postgres.Run("psql", {"-q", "-A", "-t", "-c",
                                 "SELECT pid FROM pg_locks WHERE relation = 'entries'::regclass "
                                 "AND " +
                                     condition});
  };
  while (locks("granted").empty()) SleepFor(Milliseconds(20));
  const auto waiter = session("BEGIN; " + lock + "COMMIT");
  while (locks("NOT granted").empty()) SleepFor(Milliseconds(20));
  const pid_t waiter_pid = std::stoi(locks("NOT granted"));
  Counting counting({"-p", std::to_string(waiter_pid), "--max-overhead", "100"});
  SleepFor(std::chrono::seconds(1));
  postgres.Run("psql", {"-q", "-c", "SELECT pg_terminate_backend(" + locks("granted") + ")"});
  EXPECT_EQ(ExitStatusOf(waiter->Wait(std::chrono::seconds(30))), 0) << waiter->error();
  const Counted counted = counting.Await();
  // On its way out it may have had to wait for another process inside.
  double milliseconds = 0;
  for (const CountedLock& lock : counted.locks) milliseconds += lock.milliseconds + lock.waiting;
  EXPECT_LT(milliseconds, 500) << "of a second: " << counted.run.output;
}

}  // namespace
}  // namespace ct::test
