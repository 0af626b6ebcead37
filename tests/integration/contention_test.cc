// Known numbers of waits of known lengths: all of them are counted, and nothing else.
#include <signal.h>

#include <algorithm>
#include <ostream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/counting.h"
#include "tests/integration/expect.h"

namespace ct::test {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

using Counts = std::map<std::string, std::uint64_t>;

// What a run of scripted_waits said and what was counted of it.
struct CountedRun {
  Counted counted;
  double waited = 0;  // milliseconds, as the waiter measured
};

CountedRun Count(const Strings& options, const Strings& arguments = {}) {
  Target target("scripted_waits", options);
  // Whatever it costs on a machine that has other things to do.
  Strings all{"-p", std::to_string(target.pid()), "--max-overhead", "100"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  Counting counting(all);
  target.Signal(SIGUSR1);
  target.Await("DONE");
  CountedRun run;
  run.counted = counting.Stop();
  run.waited = static_cast<double>(target.Fact("waited")) / 1e6;
  return run;
}

struct Kind {
  std::string name;
  std::string what;
  std::string purpose;
  Counts releasers = {{"releaser", 20}};
};
std::ostream& operator<<(std::ostream& out, const Kind& kind) { return out << kind.name; }

class EveryKind : public testing::TestWithParam<Kind> {};

TEST_P(EveryKind, IsCountedExactly) {
  const Kind& kind = GetParam();
  const CountedRun run = Count({"--kind=" + kind.name});
  EXPECT_EQ(run.counted.run.status, kNothing) << run.counted.run.error;
  EXPECT_THAT(run.counted.losses, IsEmpty());
  const CountedLock& lock = run.counted.Only();
  EXPECT_EQ(lock.what, kind.what);
  EXPECT_EQ(lock.purpose, kind.purpose);
  EXPECT_EQ(lock.waits, 20U);
  EXPECT_EQ(lock.timeouts, kind.name == "timeout" ? 20U : 0U);
  // The waiter's own clock runs longer than the kernel's wait, by what it spins before it sleeps
  // and by the time until it has a CPU again; and nobody is let go before 5 ms.
  EXPECT_LE(lock.milliseconds, run.waited);
  EXPECT_GE(lock.milliseconds, 20 * 5);
  EXPECT_EQ(lock.waiters, 0U);
  ASSERT_EQ(lock.places.size(), 1U) << "one place waits";
  EXPECT_THAT(lock.places.begin()->first, StartsWith("scripted_waits.cc:"));
  EXPECT_EQ(lock.places.begin()->second, 20U);
  EXPECT_EQ(lock.threads, (Counts{{"waiter", 20}}));
  EXPECT_EQ(lock.releasers, kind.releasers);
}

INSTANTIATE_TEST_SUITE_P(Calls, EveryKind,
                         testing::Values(Kind{"wait", "futex g_word", "unknown"},
                                         Kind{"wait_shared", "atomic wait g_word", "event"},
                                         Kind{"wait_bitset", "futex g_word", "unknown"},
                                         Kind{"lock_pi", "futex g_word", "unknown"},
                                         Kind{"lock_pi2", "futex g_word", "unknown"},
                                         Kind{"requeue", "futex g_word", "unknown"},
                                         Kind{"requeue_pi", "futex g_word", "unknown"},
                                         Kind{"waitv", "futex g_word", "unknown"},
                                         Kind{"futex_wait", "futex g_word", "unknown"},
                                         Kind{"timeout", "futex g_word", "unknown", {}},
                                         Kind{"restarted", "futex g_word", "unknown"},
                                         Kind{"interrupted", "futex g_word", "unknown"}),
                         testing::PrintToStringParamName());

INSTANTIATE_TEST_SUITE_P(
    Primitives, EveryKind,
    testing::Values(
        Kind{"mutex", "std::mutex g_mutex", "acquire"},
        Kind{"recursive", "std::recursive_mutex g_recursive", "acquire"},
        Kind{"timed_mutex", "std::timed_mutex g_timed", "acquire"},
        Kind{"robust", "pthread_mutex_t (robust) g_robust", "acquire"},
        Kind{"pi_mutex", "pthread_mutex_t (priority inheritance) g_pi", "acquire"},
        Kind{"shared_mutex", "pthread_mutex_t (process-shared)", "acquire", {{"neighbour", 20}}},
        Kind{"rdlock", "pthread_rwlock_t g_rwlock", "acquire"},
        Kind{"wrlock", "pthread_rwlock_t g_rwlock", "acquire"},
        Kind{"condition", "pthread_cond_t g_condition", "event"},
        Kind{"semaphore", "sem_t g_semaphore", "event"},
        Kind{"timed_semaphore", "sem_t g_semaphore", "event"},
        Kind{"barrier", "pthread_barrier_t g_barrier", "event"},
        Kind{"atomic", "std::atomic::wait g_atomic", "event"}),
    testing::PrintToStringParamName());

// Each thread that is joined is an object of its own, mostly at the same address.
TEST(Contention, CountsJoins) {
  const CountedRun run = Count({"--kind=join"});
  std::uint64_t waits = 0;
  for (const CountedLock& lock : run.counted.locks) {
    EXPECT_EQ(lock.purpose, "join");
    waits += lock.waits;
  }
  EXPECT_EQ(waits, 20U);
}

// Nobody let these waits go: whom the lock named as they began is all that there is to say.
TEST(Contention, NamesTheHolderOfALockThatWaitersGiveUp) {
  const CountedRun run = Count({"--kind=timed_out_mutex"});
  const CountedLock& lock = run.counted.Only();
  EXPECT_EQ(lock.what, "std::timed_mutex g_timed");
  EXPECT_EQ(lock.waits, 20U);
  EXPECT_EQ(lock.timeouts, 20U);
  EXPECT_THAT(lock.releasers, IsEmpty());
  EXPECT_EQ(lock.holders, (Counts{{"releaser", 20}}));
}

TEST(Contention, NamesTheLine) {
  const CountedRun run = Count({"--kind=mutex"});
  const CountedLock& lock = run.counted.Only();
  EXPECT_EQ(lock.places, (Counts{{LineOf("scripted_waits.cc", "mutex waits"), 20}}));
  EXPECT_EQ(lock.holders, (Counts{{"releaser", 20}}));
}

// EAGAIN: 2,000 calls that found another value than they expected.
TEST(Contention, IsNotARefusedCall) {
  const CountedRun run = Count({"--kind=refused"});
  EXPECT_THAT(run.counted.locks, IsEmpty());
  EXPECT_THAT(run.counted.losses, IsEmpty());
}

// A signal ends the wait, and the thread does other things before it waits for the same again:
// these are two waits. (The last one is open until its thread waits again or ends.)
TEST(Contention, OfAWaitThatASignalEndedIsNotTheNextOne) {
  const CountedRun run = Count({"--kind=given_up"});
  const CountedLock& lock = run.counted.Only();
  EXPECT_EQ(lock.waits, 19U);
  EXPECT_LE(lock.milliseconds, run.waited);
  EXPECT_GE(lock.milliseconds, 19 * 5);
  EXPECT_LT(lock.longest, 25);
}

// Shorter waits than asked for are counted and named, but who and where is not kept of them.
TEST(Contention, OfShortWaitsIsCountedOnly) {
  const CountedRun run = Count({"--kind=mutex", "--milliseconds=2"}, {"--min-wait", "1s"});
  const CountedLock& lock = run.counted.Only();
  EXPECT_EQ(lock.what, "std::mutex g_mutex");
  EXPECT_EQ(lock.waits, 20U);
  EXPECT_THAT(lock.places, IsEmpty());
  EXPECT_THAT(lock.threads, IsEmpty());
}

TEST(Contention, WithoutTaskStorageAndAllocatorIsTheSame) {
  const CountedRun run = Count({"--kind=rdlock"}, {"--without-kernel-feature", "task_storage",
                                                   "--without-kernel-feature", "map_allocator"});
  EXPECT_EQ(run.counted.Only().what, "pthread_rwlock_t g_rwlock");
  EXPECT_EQ(run.counted.Only().waits, 20U);
}

// The sweep knows since when, and the end comes with the others.
TEST(Contention, OfAWaitThatBeganBeforeIsWhole) {
  Target target("scripted_waits", {"--kind=mutex", "--count=1", "--milliseconds=1500"});
  target.Signal(SIGUSR1);
  target.AwaitAsleep({"waiter"});
  SleepFor(Milliseconds(300));
  Counting counting({"-p", std::to_string(target.pid())});
  target.Await("DONE");
  const Counted counted = counting.Stop();
  EXPECT_THAT(counted.losses, IsEmpty());
  const CountedLock& lock = counted.Only();
  EXPECT_EQ(lock.what, "std::mutex g_mutex");
  EXPECT_EQ(lock.waits, 1U);
  const double waited = static_cast<double>(target.Fact("waited")) / 1e6;
  EXPECT_LE(lock.milliseconds, waited + 1);
  EXPECT_GE(lock.milliseconds, 1499);
}

TEST(Contention, OfAWaitThatGoesOnIsShown) {
  Target target("scripted_waits", {"--kind=mutex", "--count=1", "--milliseconds=60000"});
  Counting counting({"-p", std::to_string(target.pid())});
  target.Signal(SIGUSR1);
  target.AwaitAsleep({"waiter"});
  SleepFor(Milliseconds(500));
  const Counted counted = counting.Stop();
  const CountedLock& lock = counted.Only();
  EXPECT_EQ(lock.what, "std::mutex g_mutex");
  EXPECT_EQ(lock.waits, 0U);
  EXPECT_EQ(lock.waiters, 1U);
  EXPECT_GE(lock.waiting, 500);
}

// Its last wait ended with it. The tracer says so, and ends, too.
TEST(Contention, OfAProcessThatIsKilledIsNotLost) {
  auto target = std::make_unique<Target>(
      "scripted_waits", Strings{"--kind=mutex", "--count=1", "--milliseconds=60000"});
  Counting counting({"-p", std::to_string(target->pid())});
  target->Signal(SIGUSR1);
  target->AwaitAsleep({"waiter"});
  SleepFor(Milliseconds(500));
  target->Signal(SIGKILL);
  target.reset();
  const Counted counted = counting.Await();
  EXPECT_NE(counted.run.error.find("has ended"), std::string::npos) << counted.run.error;
  const CountedLock& lock = counted.Only();
  EXPECT_EQ(lock.waits, 1U);
  EXPECT_GE(lock.milliseconds, 500);
}

TEST(Contention, OfAThreadThatExecEndsIsNotLost) {
  Target target("exec_while_waiting");
  Counting counting({"-p", std::to_string(target.pid()), "--max-overhead", "100"});
  target.Signal(SIGUSR1);
  target.Await("DONE");
  const Counted counted = counting.Stop();
  EXPECT_THAT(counted.losses, IsEmpty());
  const CountedLock& lock = counted.Only();
  EXPECT_EQ(lock.waits, 1U);
  EXPECT_GE(lock.milliseconds, 400);
  EXPECT_LE(lock.milliseconds, 2000);
  EXPECT_EQ(lock.threads, (Counts{{"waiter", 1}}));
  EXPECT_THAT(lock.releasers, IsEmpty());
}

TEST(Contention, IsToldByCgroup) {
  Target target("scripted_waits", {"--kind=mutex"});
  Child child({TracerPath(), "contention", "-p", std::to_string(target.pid()), "-d", "0",
               "--min-wait", "1s", "--max-overhead", "100", "--group", "cgroup"});
  child.ReadUntilError("counting waits by", std::chrono::seconds(20));
  target.Signal(SIGUSR1);
  target.Await("DONE");
  child.Signal(SIGINT);
  EXPECT_EQ(ExitStatusOf(child.Wait(std::chrono::seconds(30))), kNothing) << child.error();
  EXPECT_THAT(child.output(), testing::HasSubstr("NOW  CGROUP\n       20 "));
  EXPECT_THAT(child.output(), Not(testing::HasSubstr("unknown cgroup")));
}

TEST(Contention, OfAHotLockNamesItsHoldersToo) {
  const Target target("hot_lock");
  Counting counting({"-p", std::to_string(target.pid()), "--max-overhead", "100"});
  SleepFor(std::chrono::seconds(1));
  const Counted counted = counting.Stop();
  const std::vector<CountedLock> contended = counted.Contended();
  ASSERT_EQ(contended.size(), 1U);
  EXPECT_EQ(contended[0].what, "std::mutex g_counter_mu");
  EXPECT_THAT(contended[0].places,
              ElementsAre(Pair(LineOf("hot_lock.cc", "counter waits"), testing::Gt(0U))));
  EXPECT_THAT(contended[0].releasers, ElementsAre(Pair("counter", testing::Gt(0U))));
  EXPECT_GT(contended[0].waiters, 20U);
  const v1::HoldTotals& holds = counted.snapshot.lock_contention(0).holds();
  EXPECT_GT(holds.holds(), 100U);
  const double average =
      static_cast<double>(holds.total_duration_ns()) / 1e6 / static_cast<double>(holds.holds());
  EXPECT_GE(average, 0.9) << "each works for a millisecond";
  EXPECT_LE(average, 10) << "if it gets a CPU";
}

TEST(Contention, OfRustHasItsLine) {
  const Target target("rust_abba", {"--healthy"});
  Counting counting(
      {"-p", std::to_string(target.pid()), "--min-wait", "100us", "--max-overhead", "100"});
  SleepFor(std::chrono::seconds(1));
  const Counted counted = counting.Stop();
  const std::vector<CountedLock> contended = counted.Contended();
  ASSERT_FALSE(contended.empty());
  EXPECT_EQ(contended[0].what, "std::sync::Mutex");
  EXPECT_THAT(contended[0].places, Not(IsEmpty()));
  for (const auto& [place, waits] : contended[0].places) {
    EXPECT_THAT(place, StartsWith("rust_abba.rs:"));
  }
  // It was at it before: a wait may have begun while the programs were being attached.
  EXPECT_THAT(counted.losses, testing::Each("wait whose begin was not seen"));
}

TEST(Contention, OfAMonitorIsNamed) {
  const Target target(Strings{"java", "-Xshare:auto", "-cp", CT_TARGETS_DIR, "JvmPool", "--load"});
  Counting counting({"-p", std::to_string(target.pid())});
  SleepFor(std::chrono::seconds(1));
  const Counted counted = counting.Stop();
  const std::vector<CountedLock> contended = counted.Contended();
  ASSERT_FALSE(contended.empty());
  EXPECT_TRUE(std::any_of(contended.begin(), contended.end(), [](const CountedLock& lock) {
    return lock.what == "Java monitor" && lock.waits > 0;
  })) << counted.run.output;
}

// Waits, but for nothing that anybody holds.
class IdleService : public testing::TestWithParam<std::string> {};

TEST_P(IdleService, HasAnEmptyTable) {
  const std::string& name = GetParam();
  const Target target =
      name == "java" ? Target(Strings{"java", "-Xshare:auto", "-cp", CT_TARGETS_DIR, "JvmPool"})
      : name == "python"
          ? Target(Strings{CT_PYTHON, std::string(CT_TARGETS_DIR) + "/python_pool.py"})
          : Target(name);
  SleepFor(std::chrono::seconds(1));
  Counting counting({"-p", std::to_string(target.pid())});
  SleepFor(std::chrono::seconds(1));
  const Counted counted = counting.Stop();
  std::vector<std::string> contended;
  for (const CountedLock& lock : counted.Contended()) contended.push_back(lock.what);
  EXPECT_THAT(contended, IsEmpty());
  EXPECT_THAT(counted.losses, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Targets, IdleService,
                         testing::Values("idle", "idle_pool", "go_idle", "java", "python"),
                         [](const auto& info) { return info.param; });

// Past the budget detail is given up at once, and said; host-wide counting ends.
TEST(ContentionBudget, EndsHostWideCounting) {
  const Target target("ping_pong", {"--healthy"});
  Counting counting({"--max-overhead", "0.001"});
  const Counted counted = counting.Await();
  // One line, where what tracepoints cost other system calls is past the budget alone; else two.
  ASSERT_THAT(counted.degradations, Not(IsEmpty()));
  EXPECT_THAT(counted.degradations, Each(StartsWith("counting waits costs ")));
  EXPECT_THAT(counted.degradations.back(), HasSubstr("more than 0.001 %: counting has stopped"));
}

TEST(ContentionBudget, KeepsCountingWhatWasAskedFor) {
  const Target target("ping_pong", {"--healthy"});
  Counting counting({"-p", std::to_string(target.pid()), "--max-overhead", "0.001"});
  SleepFor(std::chrono::seconds(1));
  const Counted counted = counting.Stop();
  ASSERT_THAT(counted.degradations, Not(IsEmpty()));
  EXPECT_THAT(counted.degradations.back(), HasSubstr("because these processes were asked for"));
  std::uint64_t waits = 0;
  for (const CountedLock& lock : counted.locks) waits += lock.waits;
  EXPECT_GT(waits, 100U);
}

TEST(ContentionOptions, MistakesAreOneLineEach) {
  for (const Strings& arguments :
       {Strings{"contention", "--group", "color"}, Strings{"contention", "--sort", "luck"},
        Strings{"contention", "--stack-size", "7"}, Strings{"contention", "-p", "0"},
        Strings{"contention", "-d", "soon"}, Strings{"contention", "--max-overhead", "0"},
        Strings{"contention", "--ring-size", "3", "-d", "0.1s"},
        Strings{"--min-wait", "5ms", "-d", "0.1s"}}) {
    const Outcome run = RunTracer(arguments);
    EXPECT_EQ(run.status, kUsage) << run.error;
    EXPECT_LE(SplitLines(run.error).size(), 2U) << run.error;
    EXPECT_EQ(run.output, "");
  }
  EXPECT_EQ(RunTracer({"contention", "-p", "4194304"}).status, kError);
}

TEST(ContentionFile, ShowsTheSameTable) {
  const TempDir directory;
  Target target("scripted_waits", {"--kind=mutex"});
  Child child({TracerPath(), "contention", "-p", std::to_string(target.pid()), "-d", "0", "-o",
               directory.File("x.pb")});
  child.ReadUntilError("counting waits by", std::chrono::seconds(20));
  target.Signal(SIGUSR1);
  target.Await("DONE");
  child.Signal(SIGINT);
  EXPECT_EQ(ExitStatusOf(child.Wait(std::chrono::seconds(30))), kNothing);
  const Outcome shown = RunTracer({"show", directory.File("x.pb")});
  EXPECT_EQ(shown.status, kNothing);
  EXPECT_EQ(shown.output + "snapshot  " + directory.File("x.pb") + "\n", child.output());
  EXPECT_TRUE(shown.output.starts_with("CONTENTION  ")) << shown.output;
}

TEST(Doctor, SaysWhatWorksHere) {
  const Outcome run = RunTracer({"doctor"});
  EXPECT_EQ(run.status, kNothing) << run.output;
  EXPECT_NE(run.output.find("used; +"), std::string::npos) << run.output;
  EXPECT_NE(run.output.find("Everything works."), std::string::npos) << run.output;
  const Outcome less = RunTracer({"doctor", "--without-kernel-feature", "task_walk"});
  EXPECT_EQ(less.status, kNotSeen);
  EXPECT_NE(less.output.find("DEGRADED  sweeps cost more"), std::string::npos) << less.output;
}

}  // namespace
}  // namespace ct::test
