// The table of contended locks, as it is read.
#include "render/contention_text.h"

#include <initializer_list>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "render/text.h"
#include "tests/unit/snapshot/story.h"

namespace ct {
namespace {

using testing::Ago;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using testing::Story;

WaitTotals Waits(std::initializer_list<std::pair<int, DurationNs>> counted) {
  WaitTotals totals;
  for (const auto& [count, duration] : counted) {
    for (int i = 0; i < count; ++i) totals.Add(duration, false);
  }
  return totals;
}

class ContentionTextTest : public ::testing::Test {
 protected:
  ContentionTextTest() {
    contention().since = Ago(10 * kSecond);
    contention().min_wait = kMillisecond;
  }

  Contention& contention() { return story_.observation.contention; }
  LockContention& lock(std::size_t index) { return contention().locks[index]; }

  LockContention& Lock(ProcessIndex process, std::string_view symbol, const WaitTotals& waits) {
    LockContention& lock = contention().locks.emplace_back();
    lock.resource = story_.Mutex("std::mutex", symbol);
    lock.process = process;
    lock.purpose = WaitPurpose::kAcquire;
    lock.purpose_known = true;
    lock.waits = waits;
    return lock;
  }

  void Idle(ProcessIndex process, const WaitTotals& waits) {
    LockContention& lock = Lock(process, "g_ready", waits);
    lock.purpose = WaitPurpose::kEvent;
    Resource& resource = story_.resource(lock.resource);
    resource.kind = ResourceKind::kCondition;
    resource.type = "std::condition_variable";
  }

  // Three locks of two processes; the first with everything that there can be below its row.
  void ThreeLocks() {
    const auto order = story_.Process("order-svc", 977);
    const auto billing = story_.Process("billing", 1203);
    story_.process(order).cgroup = "/shop.slice/order.service";
    const auto add = story_.Stack({"pthread_mutex_lock@/usr/lib/libc.so.6",
                                   "Stats::add(char const*, long)@/src/stats.cc:21"});
    const auto dump =
        story_.Stack({"pthread_mutex_lock@/usr/lib/libc.so.6", "Stats::dump()@/src/stats.cc:60"});

    LockContention& stats =
        Lock(order, "g_stats_mu", Waits({{3, 700'000}, {8, 20 * kMillisecond}, {2, kSecond / 10}}));
    stats.waits.timeouts = 1;
    stats.holds = {9, 270 * kMillisecond, 90 * kMillisecond};
    stats.waiters = 2;
    stats.waiting = kSecond;
    stats.stacks = {{add, 8, 260 * kMillisecond, 100 * kMillisecond},
                    {dump, 2, 100 * kMillisecond, 80 * kMillisecond}};
    stats.threads = {{{981, 1}, "io-1", 7, 300 * kMillisecond, 100 * kMillisecond},
                     {{982, 1}, "io-2", 3, 60 * kMillisecond, 20 * kMillisecond}};
    stats.releasers = {{982, 977, "io-2", 7, 270 * kMillisecond},
                       {981, 977, "io-1", 3, 90 * kMillisecond}};

    LockContention& ledger = Lock(order, "g_ledger_mu", Waits({{1, 3 * kSecond}}));
    ledger.stacks = {{add, 1, 3 * kSecond, 3 * kSecond}};
    ledger.threads = {{{982, 1}, "io-2", 1, 3 * kSecond, 3 * kSecond}};
    Lock(billing, "", Waits({{20, 15 * kMillisecond}}));
  }

  std::string Render(const ContentionView& view = {}, const RenderOptions& options = {}) {
    return RenderContention(story_.observation, view, options);
  }

  // The last word of each row's label, for locks of one process without anything below.
  std::vector<std::string> Order(ContentionSort sort) {
    std::istringstream lines(Render({.sort = sort, .rows = 100}));
    std::vector<std::string> order;
    for (std::string line; std::getline(lines, line);) {
      const std::size_t symbol = line.find("g_");
      if (symbol != std::string::npos) {
        order.push_back(line.substr(symbol, line.find(' ', symbol) - symbol));
      }
    }
    return order;
  }

  Story story_;
};

TEST_F(ContentionTextTest, ShowsLocksWithWhoAndWhere) {
  ThreeLocks();
  EXPECT_EQ(
      Render(),
      "CONTENTION  10.0 s of pid 977: 34 waits at 3 locks, 4.7 s waited, 2 waiting now\n"
      "    WAITS    TOTAL      AVG      P50      P99      MAX  NOW  LOCK\n"
      "        1    3.0 s    3.0 s    3.0 s    3.0 s    3.0 s       "
      "std::mutex g_ledger_mu  order-svc (977)\n"
      "          3.0 s in 1 wait at Stats::add  stats.cc:21\n"
      "       13    1.4 s    27 ms    24 ms   100 ms   100 ms    2  "
      "std::mutex g_stats_mu  order-svc (977)\n"
      "          260 ms in 8 waits at Stats::add  stats.cc:21\n"
      "          100 ms in 2 waits at Stats::dump  stats.cc:60\n"
      "          3 other waits shorter than 1.0 ms or not read\n"
      "          let go by io-2 (982) 75 %, io-1 (981) 25 %\n"
      "          held for 30 ms on average, 90 ms at most by those who had waited (probable)\n"
      "          1 gave up at a timeout\n"
      "       20   300 ms    15 ms    12 ms    15 ms    15 ms       "
      "std::mutex 0x4040c0  billing (1203)\n");
}

TEST_F(ContentionTextTest, SumsUpThreadsOverTheirLocks) {
  ThreeLocks();
  EXPECT_EQ(Render({.group = ContentionGroup::kThread}),
            "CONTENTION  10.0 s of pid 977: 34 waits at 3 locks, 4.7 s waited, 2 waiting now\n"
            "    WAITS    TOTAL      AVG      P50      P99      MAX  NOW  THREAD\n"
            "        4    3.1 s   765 ms        -        -    3.0 s       "
            "io-2 (982)  order-svc (977)\n"
            "        7   300 ms    42 ms        -        -   100 ms       "
            "io-1 (981)  order-svc (977)\n"
            "only waits of 1.0 ms and longer: of shorter ones no place is kept\n");
}

TEST_F(ContentionTextTest, SumsUpPlacesOverTheirLocks) {
  ThreeLocks();
  EXPECT_EQ(Render({.group = ContentionGroup::kStack}),
            "CONTENTION  10.0 s of pid 977: 34 waits at 3 locks, 4.7 s waited, 2 waiting now\n"
            "    WAITS    TOTAL      AVG      P50      P99      MAX  NOW  STACK\n"
            "        9    3.3 s   362 ms        -        -    3.0 s       "
            "Stats::add  stats.cc:21  order-svc (977)\n"
            "        2   100 ms    50 ms        -        -    80 ms       "
            "Stats::dump  stats.cc:60  order-svc (977)\n"
            "only waits of 1.0 ms and longer: of shorter ones no place is kept\n");
}

TEST_F(ContentionTextTest, SumsUpProcesses) {
  ThreeLocks();
  EXPECT_EQ(Render({.group = ContentionGroup::kProcess}),
            "CONTENTION  10.0 s of pid 977: 34 waits at 3 locks, 4.7 s waited, 2 waiting now\n"
            "    WAITS    TOTAL      AVG      P50      P99      MAX  NOW  PROCESS\n"
            "       14    4.4 s   240 ms    25 ms    3.0 s    3.0 s    2  order-svc (977)\n"
            "       20   300 ms    15 ms    12 ms    15 ms    15 ms       billing (1203)\n");
}

TEST_F(ContentionTextTest, SumsUpCgroups) {
  ThreeLocks();
  EXPECT_EQ(Render({.group = ContentionGroup::kCgroup}),
            "CONTENTION  10.0 s of pid 977: 34 waits at 3 locks, 4.7 s waited, 2 waiting now\n"
            "    WAITS    TOTAL      AVG      P50      P99      MAX  NOW  CGROUP\n"
            "       14    4.4 s   240 ms    25 ms    3.0 s    3.0 s    2  "
            "/shop.slice/order.service\n"
            "       20   300 ms    15 ms    12 ms    15 ms    15 ms       (unknown cgroup)\n");
}

TEST_F(ContentionTextTest, BoundsWhatStandsBelowALock) {
  LockContention& lock = Lock(story_.Process("svc", 1), "mu", Waits({{15, kSecond}}));
  for (pid_t i = 1; i <= 5; ++i) {
    const std::string place = "f" + std::to_string(i) + "()@/a.cc:" + std::to_string(i);
    lock.stacks.push_back(
        {story_.Stack({place}), static_cast<std::uint64_t>(6 - i), (6 - i) * kSecond, kSecond});
    lock.releasers.push_back({i, 1, "t", 1, kSecond});
  }
  EXPECT_EQ(Render(),
            "CONTENTION  10.0 s of pid 977: 15 waits at 1 lock, 15.0 s waited\n"
            "    WAITS    TOTAL      AVG      P50      P99      MAX  NOW  LOCK\n"
            "       15   15.0 s    1.0 s   805 ms    1.0 s    1.0 s       std::mutex mu  svc (1)\n"
            "          5.0 s in 5 waits at f1  a.cc:1\n"
            "          4.0 s in 4 waits at f2  a.cc:2\n"
            "          3.0 s in 3 waits at f3  a.cc:3\n"
            "          and 2 more places\n"
            "          let go by t (1) 20 %, t (2) 20 %, t (3) 20 % and 2 more\n");
}

TEST_F(ContentionTextTest, SaysWhoHeldItWhereThatIsNotWhoLetThemGo) {
  LockContention& lock = Lock(story_.Process("svc", 1), "mu", Waits({{4, kSecond}}));
  lock.releasers = {{1, 1, "a", 3, kSecond}, {2, 1, "b", 1, kSecond}};
  lock.holders = {{2, 1, "b", 3, kSecond}, {1, 1, "a", 1, kSecond}};
  EXPECT_THAT(Render(), Not(HasSubstr("held as")));
  lock.holders = {{2, 1, "b", 3, 3 * kSecond}, {3, 1, "c", 1, kSecond}};
  EXPECT_THAT(Render(),
              HasSubstr("          held as long waits began by b (2) 75 %, c (3) 25 %\n"));
  lock.releasers.clear();
  lock.holders = {{2, 1, "b", 3, kSecond}};
  EXPECT_THAT(Render(), HasSubstr("          held as long waits began by b (2) 100 %\n"));
}

TEST_F(ContentionTextTest, ShowsCompleteStacksIfAsked) {
  LockContention& lock = Lock(story_.Process("svc", 1), "mu", Waits({{15, kSecond}}));
  for (int i = 1; i <= 5; ++i) {
    lock.stacks.push_back({story_.Stack({"pthread_mutex_lock@/usr/lib/libc.so.6",
                                         "f" + std::to_string(i) + "()@/a.cc:1"}),
                           1, kSecond, kSecond});
  }
  RenderOptions full;
  full.full = true;
  const std::string text = Render({}, full);
  EXPECT_THAT(text, HasSubstr("          1.0 s in 1 wait at f5  a.cc:1\n"
                              "            #0  pthread_mutex_lock  /usr/lib/libc.so.6"));
  EXPECT_THAT(text, HasSubstr("\n            #1  f5()  /a.cc:1\n"));
  EXPECT_THAT(text, Not(HasSubstr("more place")));
  EXPECT_THAT(Render({.group = ContentionGroup::kStack}, full),
              HasSubstr("\n            #1  f5()  /a.cc:1\n"));
}

TEST_F(ContentionTextTest, CountsOnePlaceThatIsNotShownAsOne) {
  LockContention& lock = Lock(story_.Process("svc", 1), "mu", Waits({{4, kSecond}}));
  for (int i = 0; i < 4; ++i) {
    lock.stacks.push_back({story_.Stack({"f()@/a.cc:1"}), 1, kSecond, kSecond});
  }
  EXPECT_THAT(Render(), HasSubstr("          and 1 more place\n"));
}

// Of a lock without a single long wait there is nothing that the short ones could be apart from.
TEST_F(ContentionTextTest, DoesNotSpeakOfOtherWaitsWhereNoneWasRead) {
  Lock(story_.Process("svc", 1), "mu", Waits({{5, 512'000}}));
  EXPECT_EQ(
      Render(),
      "CONTENTION  10.0 s of pid 977: 5 waits at 1 lock, 2.6 ms waited\n"
      "    WAITS    TOTAL      AVG      P50      P99      MAX  NOW  LOCK\n"
      "        5   2.6 ms   0.5 ms   0.4 ms   0.5 ms   0.5 ms       std::mutex mu  svc (1)\n");
}

TEST_F(ContentionTextTest, SaysWhereNobodyWasLetGo) {
  LockContention& lock = Lock(story_.Process("svc", 1), "mu", {});
  lock.waiters = 2;
  lock.waiting = 20 * kSecond;
  EXPECT_EQ(Render(),
            "CONTENTION  10.0 s of pid 977: 0 waits at 1 lock, 20.0 s waited, 2 waiting now\n"
            "    WAITS    TOTAL      AVG      P50      P99      MAX  NOW  LOCK\n"
            "        0   20.0 s        -        -        -        -    2  std::mutex mu  svc (1)\n"
            "          nobody was let go in all that time: look at it with snapshot\n");
  // One of the two came late.
  lock.waiting = 17 * kSecond;
  EXPECT_THAT(Render(), Not(HasSubstr("nobody was let go")));
  // Too short to say so.
  contention().since = Ago(kSecond - 1);
  EXPECT_THAT(Render(), Not(HasSubstr("nobody was let go")));
}

// --- order and bounds ---------------------------------------------------------------------------

TEST_F(ContentionTextTest, SortsAsAsked) {
  const auto process = story_.Process("svc", 1);
  Lock(process, "g_often", Waits({{280, 2 * kMillisecond}}));
  Lock(process, "g_steady", Waits({{30, 30 * kMillisecond}}));
  Lock(process, "g_spiky", Waits({{199, kMillisecond}, {1, 500 * kMillisecond}}));
  Lock(process, "g_slow", Waits({{3, 200 * kMillisecond}}));
  Lock(process, "g_now", {}).waiting = 950 * kMillisecond;
  const std::vector<std::pair<ContentionSort, std::vector<std::string>>> sorts = {
      {ContentionSort::kTotal, {"g_now", "g_steady", "g_spiky", "g_slow", "g_often"}},
      {ContentionSort::kWaits, {"g_often", "g_spiky", "g_steady", "g_slow", "g_now"}},
      {ContentionSort::kAverage, {"g_slow", "g_steady", "g_spiky", "g_often", "g_now"}},
      {ContentionSort::kMax, {"g_spiky", "g_slow", "g_steady", "g_often", "g_now"}},
      {ContentionSort::kP99, {"g_slow", "g_steady", "g_often", "g_spiky", "g_now"}},
  };
  for (const auto& [sort, order] : sorts) {
    EXPECT_EQ(Order(sort), order) << static_cast<int>(sort);
  }
}

TEST_F(ContentionTextTest, KeepsTheOrderOfEquals) {
  const auto process = story_.Process("svc", 1);
  std::vector<std::string> symbols;
  for (int i = 0; i < 40; ++i) symbols.push_back("g_" + std::to_string(i * 7 % 40));
  for (const std::string& symbol : symbols) Lock(process, symbol, Waits({{1, kSecond}}));
  EXPECT_EQ(Order(ContentionSort::kTotal), symbols);
}

TEST_F(ContentionTextTest, CountsRowsBeyondTheLimit) {
  ThreeLocks();
  EXPECT_EQ(Render({.rows = 1}),
            "CONTENTION  10.0 s of pid 977: 34 waits at 3 locks, 4.7 s waited, 2 waiting now\n"
            "    WAITS    TOTAL      AVG      P50      P99      MAX  NOW  LOCK\n"
            "        1    3.0 s    3.0 s    3.0 s    3.0 s    3.0 s       "
            "std::mutex g_ledger_mu  order-svc (977)\n"
            "          3.0 s in 1 wait at Stats::add  stats.cc:21\n"
            "and 2 more\n");
}

TEST_F(ContentionTextTest, CountsRowsWithLessWaitingThanAsked) {
  const auto process = story_.Process("svc", 1);
  Lock(process, "g_just", Waits({{1, 100 * kMillisecond}}));
  Lock(process, "g_less", Waits({{1, 100 * kMillisecond - 1}}));
  Lock(process, "g_waiting", {}).waiting = 100 * kMillisecond;
  EXPECT_EQ(Render({.sort = ContentionSort::kWaits, .min_total = 100 * kMillisecond}),
            "CONTENTION  10.0 s of pid 977: 2 waits at 3 locks, 299 ms waited\n"
            "    WAITS    TOTAL      AVG      P50      P99      MAX  NOW  LOCK\n"
            "        1   100 ms   100 ms   100 ms   100 ms   100 ms       "
            "std::mutex g_just  svc (1)\n"
            "        0   100 ms        -        -        -        -       "
            "std::mutex g_waiting  svc (1)\n"
            "and 1 more\n");
}

// --- what is no lock ----------------------------------------------------------------------------

TEST_F(ContentionTextTest, KeepsIdleWaitsApart) {
  const auto process = story_.Process("svc", 1);
  Lock(process, "g_mu", Waits({{1, kSecond}}));
  Idle(process, Waits({{4, 2 * kSecond}}));
  EXPECT_EQ(Render(),
            "CONTENTION  10.0 s of pid 977: 1 wait at 1 lock, 1.0 s waited\n"
            "    WAITS    TOTAL      AVG      P50      P99      MAX  NOW  LOCK\n"
            "        1    1.0 s    1.0 s   805 ms    1.0 s    1.0 s       "
            "std::mutex g_mu  svc (1)\n"
            "apart: 4 waits at 1 object that is no lock (--idle shows them)\n");
  EXPECT_EQ(Render({.idle = true}),
            "CONTENTION  10.0 s of pid 977: 5 waits at 2 objects, 9.0 s waited\n"
            "    WAITS    TOTAL      AVG      P50      P99      MAX  NOW  LOCK\n"
            "        4    8.0 s    2.0 s    1.6 s    2.0 s    2.0 s       "
            "std::condition_variable g_ready  svc (1)\n"
            "        1    1.0 s    1.0 s   805 ms    1.0 s    1.0 s       "
            "std::mutex g_mu  svc (1)\n");
}

TEST_F(ContentionTextTest, TakesAWaitThatNobodyCouldReadForNoLock) {
  const auto process = story_.Process("svc", 1);
  Lock(process, "g_mu", Waits({{1, kSecond}})).purpose_known = false;
  Idle(process, {});
  lock(1).waiters = 3;
  EXPECT_EQ(Render(),
            "NO CONTENTION  10.0 s of pid 977: nobody waited for a lock\n"
            "apart: 1 wait at 2 objects that are no lock, 3 waiting now (--idle shows them)\n");
}

TEST_F(ContentionTextTest, SaysThatNobodyWaited) {
  EXPECT_EQ(Render(), "NO CONTENTION  10.0 s of pid 977: nobody waited for a lock\n");
  story_.observation.filter.clear();
  EXPECT_EQ(Render({.group = ContentionGroup::kThread}),
            "NO CONTENTION  10.0 s of the whole host: nobody waited for a lock\n");
}

TEST_F(ContentionTextTest, IsEmptyWhereNothingWasCounted) {
  ThreeLocks();
  contention().since = 0;
  EXPECT_EQ(Render(), "");
}

TEST_F(ContentionTextTest, PaintsItsTitle) {
  EXPECT_THAT(Render({}, {.color = true, .notes = {}}),
              StartsWith("\x1b[1;32mNO CONTENTION\x1b[0m  "));
  ThreeLocks();
  EXPECT_THAT(Render({}, {.color = true, .notes = {}}),
              StartsWith("\x1b[1;33mCONTENTION\x1b[0m  "));
}

// --- hostile and broken input -------------------------------------------------------------------

TEST_F(ContentionTextTest, ToleratesIndicesThatLeadNowhere) {
  LockContention& lock = Lock(99, "mu", Waits({{2, kSecond}}));
  lock.resource = 77;
  lock.stacks = {{55, 1, kSecond, kSecond}, {kNoIndex, 1, kSecond, kSecond}};
  EXPECT_EQ(Render(),
            "CONTENTION  10.0 s of pid 977: 2 waits at 1 lock, 2.0 s waited\n"
            "    WAITS    TOTAL      AVG      P50      P99      MAX  NOW  LOCK\n"
            "        2    2.0 s    1.0 s   805 ms    1.0 s    1.0 s       ?  ?\n"
            "          1.0 s in 1 wait at ?\n"
            "          1.0 s in 1 wait at ?\n");
  lock.process = lock.resource = kNoIndex;
  EXPECT_THAT(Render({.group = ContentionGroup::kProcess}), HasSubstr("       ?\n"));
  EXPECT_THAT(Render({.group = ContentionGroup::kCgroup}), HasSubstr("       (unknown cgroup)\n"));
}

TEST_F(ContentionTextTest, PrintsNoControlCharacterOfATarget) {
  const std::string evil = "\x1b[2J\nDEADLOCK\xff" + std::string(10'000, 'x');
  const auto process = story_.Process(evil, 1);
  story_.process(process).cgroup = evil;
  const auto stack = story_.Stack({evil + "()@/" + evil + ".cc:1"});
  LockContention& lock = Lock(process, evil, Waits({{1, kSecond}}));
  lock.stacks = {{stack, 1, kSecond, kSecond}};
  lock.threads = {{{5, 1}, evil, 1, kSecond, kSecond}};
  lock.releasers = {{6, 1, evil, 1, kSecond}};
  for (const auto group :
       {ContentionGroup::kLock, ContentionGroup::kStack, ContentionGroup::kThread,
        ContentionGroup::kProcess, ContentionGroup::kCgroup}) {
    const std::string text = Render({.group = group});
    EXPECT_EQ(text.find_first_of("\x1b\xff"), std::string::npos) << text;
    EXPECT_THAT(text, Not(HasSubstr("\nDEADLOCK")));
    EXPECT_LT(text.size(), 1'200U);
  }
}

// --- within the whole answer --------------------------------------------------------------------

TEST_F(ContentionTextTest, IsTheAnswerWhereOnlyWaitsWereCounted) {
  const auto process = story_.Process("svc", 1);
  Lock(process, "g_mu", Waits({{1, kSecond}}));
  story_.Lose(3, "waits not counted", true, "");
  story_.observation.degradations = {"no fentry"};
  EXPECT_EQ(RenderText(story_.observation, {}, {.notes = {"a note"}}),
            "CONTENTION  10.0 s of pid 977: 1 wait at 1 lock, 1.0 s waited\n"
            "    WAITS    TOTAL      AVG      P50      P99      MAX  NOW  LOCK\n"
            "        1    1.0 s    1.0 s   805 ms    1.0 s    1.0 s       "
            "std::mutex g_mu  svc (1)\n"
            "NOT SEEN  3 x waits not counted\n"
            "DEGRADED  no fentry\n"
            "NOTE  a note\n");
}

TEST_F(ContentionTextTest, StandsBelowTheAnswerWhereThreadsWereLookedAtToo) {
  const auto process = story_.Process("svc", 1);
  story_.Thread(process, "main", 1, kNoIndex);
  EXPECT_EQ(RenderText(story_.observation, {}, {}),
            "NOTHING FOUND  1 thread of 1 process: no deadlock, no abandoned lock, no long wait\n"
            "\n"
            "NO CONTENTION  10.0 s of pid 977: nobody waited for a lock\n"
            "\n"
            "svc (1)  unknown: 1 thread\n");
}

// --- names --------------------------------------------------------------------------------------

TEST(ContentionView, KnowsItsNames) {
  EXPECT_EQ(ParseContentionGroup("lock"), ContentionGroup::kLock);
  EXPECT_EQ(ParseContentionGroup("stack"), ContentionGroup::kStack);
  EXPECT_EQ(ParseContentionGroup("thread"), ContentionGroup::kThread);
  EXPECT_EQ(ParseContentionGroup("process"), ContentionGroup::kProcess);
  EXPECT_EQ(ParseContentionGroup("cgroup"), ContentionGroup::kCgroup);
  EXPECT_EQ(ParseContentionSort("total"), ContentionSort::kTotal);
  EXPECT_EQ(ParseContentionSort("waits"), ContentionSort::kWaits);
  EXPECT_EQ(ParseContentionSort("avg"), ContentionSort::kAverage);
  EXPECT_EQ(ParseContentionSort("max"), ContentionSort::kMax);
  EXPECT_EQ(ParseContentionSort("p99"), ContentionSort::kP99);
  for (const char* unknown : {"", "Lock", "locks", "average"}) {
    EXPECT_EQ(ParseContentionGroup(unknown), std::nullopt);
    EXPECT_EQ(ParseContentionSort(unknown), std::nullopt);
  }
}

}  // namespace
}  // namespace ct
