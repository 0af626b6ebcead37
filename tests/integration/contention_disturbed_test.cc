// Waits in whose middle something else happens: their process forks, their thread ends, or signals
// rain on it.
#include <signal.h>

#include <algorithm>
#include <ostream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/counting.h"
#include "tests/integration/expect.h"

namespace ct::test {
namespace {

using ::testing::IsEmpty;

using Counts = std::map<std::string, std::uint64_t>;

double FactInMilliseconds(const Target& target, const std::string& fact) {
  return static_cast<double>(target.Fact(fact)) / 1e6;
}

// Host-wide: a process that is born is counted from its first call on.
TEST(ContentionDisturbed, ByForkCountsParentAndChildrenExactly) {
  Target target("fork_while_waiting");
  Counting counting({"--max-overhead", "100"});
  target.Signal(SIGUSR1);
  target.Await("DONE");
  SleepFor(Milliseconds(200));
  const Counted counted = counting.Stop();

  const std::vector<CountedLock> parent = counted.Of(target.pid());
  ASSERT_EQ(parent.size(), 1U);
  EXPECT_EQ(parent[0].what, "std::mutex g_mu");
  EXPECT_EQ(parent[0].waits, 5U);
  EXPECT_EQ(parent[0].threads, (Counts{{"waiter", 5}}));
  EXPECT_LE(parent[0].milliseconds, FactInMilliseconds(target, "waited"));
  EXPECT_GE(parent[0].milliseconds, 5 * 20) << "no shorter than its child's wait";
  EXPECT_EQ(parent[0].waiters, 1U) << "the sixth";
  EXPECT_GE(parent[0].waiting, 200);

  for (int i = 1; i <= 5; ++i) {
    const std::string name = "child_" + std::to_string(i);
    const std::vector<CountedLock> child = counted.Of(static_cast<pid_t>(target.Fact(name)));
    ASSERT_EQ(child.size(), 1U) << name;
    EXPECT_EQ(child[0].what, "std::mutex g_mu");
    EXPECT_EQ(child[0].waits, 1U) << name;
    EXPECT_EQ(child[0].threads, (Counts{{"heir", 1}}));
    EXPECT_LE(child[0].milliseconds, FactInMilliseconds(target, name + "_waited"));
    EXPECT_GE(child[0].milliseconds, 20);
    EXPECT_EQ(child[0].waiters, 0U) << "its parent's waiter is no thread of " << name;
  }
  const auto idle_child = static_cast<pid_t>(target.Fact("idle_child"));
  EXPECT_EQ(counted.Of(idle_child).size(), 0U) << "it forked in a wait of its parent's";
}

struct Ending {
  std::string how;
  bool task_storage = true;
};
std::ostream& operator<<(std::ostream& out, const Ending& ending) {
  return out << ending.how << (ending.task_storage ? "" : "_without_task_storage");
}

class ByTheEndOf : public testing::TestWithParam<Ending> {};

// It has waited until then; and who has its tid later has nothing of it.
TEST_P(ByTheEndOf, TheWaiterItWaitedUntilThen) {
  Target target("exit_while_waiting", {"--how=" + GetParam().how});
  Strings arguments{"--max-overhead", "100"};
  if (!GetParam().task_storage) {
    arguments.insert(arguments.end(), {"--without-kernel-feature", "task_storage"});
  }
  Counting counting(arguments);
  target.Signal(SIGUSR1);
  target.Await("DONE");
  const Counted counted = counting.Stop();

  std::uint64_t waits = 0;
  double milliseconds = 0;
  Counts threads;
  for (const CountedLock& lock : counted.Of(static_cast<pid_t>(target.Fact("pid")))) {
    waits += lock.waits;
    milliseconds += lock.milliseconds;
    EXPECT_EQ(lock.waiters, 0U);
    for (const auto& [name, count] : lock.threads) threads[name] += count;
  }
  EXPECT_EQ(waits, 4U) << counted.run.output;
  EXPECT_EQ(threads, (Counts{{"heir", 3}, {"victim", 1}}));
  EXPECT_GE(milliseconds, FactInMilliseconds(target, "at_least") + 3 * 20);
  EXPECT_LE(milliseconds,
            FactInMilliseconds(target, "at_most") + FactInMilliseconds(target, "waited"));
}

INSTANTIATE_TEST_SUITE_P(ContentionDisturbed, ByTheEndOf,
                         testing::Values(Ending{"thread"}, Ending{"process"}, Ending{"killed"},
                                         Ending{"thread", false}, Ending{"process", false},
                                         Ending{"killed", false}),
                         testing::PrintToStringParamName());

class BySignals : public testing::TestWithParam<std::string> {};

// 200 handled signals a second for 300 ms: one wait, as long as the waiter measured.
TEST_P(BySignals, IsOneWait) {
  // The waiter may lose its CPU between the wait's end and its look at the clock.
  constexpr int kTries = 5;
  double difference = 1e9;
  for (int i = 0; i < kTries && difference >= 1; ++i) {
    Target target("scripted_waits", {"--kind=" + GetParam(), "--count=1"});
    Counting counting({"-p", std::to_string(target.pid()), "--max-overhead", "100"});
    target.Signal(SIGUSR1);
    target.Await("DONE");
    const Counted counted = counting.Stop();
    EXPECT_THAT(counted.losses, IsEmpty());
    const CountedLock& lock = counted.Only();
    EXPECT_EQ(lock.what, "std::mutex g_mutex");
    EXPECT_EQ(lock.waits, 1U);
    EXPECT_EQ(lock.threads, (Counts{{"waiter", 1}}));
    EXPECT_EQ(lock.releasers, (Counts{{"releaser", 1}}));
    EXPECT_GE(lock.milliseconds, 300);
    EXPECT_LE(lock.milliseconds, FactInMilliseconds(target, "waited"));
    difference = std::min(difference, FactInMilliseconds(target, "waited") - lock.milliseconds);
  }
  EXPECT_LT(difference, 1) << "milliseconds";
}

INSTANTIATE_TEST_SUITE_P(ContentionDisturbed, BySignals,
                         testing::Values("storm", "storm_interrupted"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace ct::test
