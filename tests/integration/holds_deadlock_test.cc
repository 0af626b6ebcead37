// Deadlocks of what keeps no owner: pools, semaphores, readers. Who has it, where it was taken, and
// who waits for it at which line.
#include <algorithm>
#include <regex>

#include <gmock/gmock.h>

#include "tests/integration/holds.h"

namespace ct::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Its locks are held for as long as the test takes, which is none of its findings.
FollowOptions Until(const std::string& finding, const Strings& asleep, Strings more = {}) {
  more.insert(more.end(), {"--long-hold", "1h"});
  return {more, finding, asleep};
}

Strings Pool(const std::string& more = ";capacity=3") { return {"--pool", kConnectionPool + more}; }

std::string Held(const std::string& who, const std::string& where) {
  return who + " (" + where + ")";
}

// Which of several shortest rings is told is chance: any member may begin it.
std::string AnyRing(const std::string& findings) {
  return std::regex_replace(findings, std::regex("ring: [^\n]*"), "ring");
}

const Strings kThree{"order", "price", "stock"};

std::string PoolDeadlock(const std::string& kind, bool handles) {
  const std::string file = "connection_pool.cc";
  std::string holders;
  for (const std::string& name : kThree) {
    holders += (holders.empty() ? "" : " and ") +
               Held(name, LineOf(file, (handles ? "borrower" : name) + " takes"));
  }
  Strings lines{kind};
  for (const std::string& name : kThree) {
    lines.push_back(Waits({name, "pool g_pool", holders,
                           LineOf(file, (handles ? "borrower" : name) + " wants another")}));
  }
  lines.emplace_back("  ring");
  return Lines(lines);
}

TEST(HoldsDeadlock, OfAPool) {
  const Followed followed = Follow("connection_pool", {}, Until("DEADLOCK", kThree, Pool()));
  Followed any = followed;
  any.answer.findings = AnyRing(followed.answer.findings);
  ExpectFound(any, kHang, PoolDeadlock("DEADLOCK certain, never ends", false));
  // The text says so, too: the pool, how much of it is out, and every line.
  for (const char* words : {"g_pool", "3/3"}) EXPECT_THAT(followed.text, HasSubstr(words));
  for (const std::string& name : kThree) {
    EXPECT_THAT(followed.text, HasSubstr(LineOf("connection_pool.cc", name + " takes")));
    EXPECT_THAT(followed.text, HasSubstr(LineOf("connection_pool.cc", name + " wants another")));
  }
}

TEST(HoldsDeadlock, OfAPoolWhoseHandlesGiveBack) {
  Followed followed = Follow("connection_pool", {"--handle"}, Until("DEADLOCK", kThree, Pool()));
  followed.answer.findings = AnyRing(followed.answer.findings);
  ExpectFound(followed, kHang, PoolDeadlock("DEADLOCK certain, never ends", true));
}

// How many it has is not known: somebody may have one who took it before anybody looked.
TEST(HoldsDeadlock, OfAPoolOfUnknownSizeIsProbable) {
  Followed followed = Follow("connection_pool", {}, Until("DEADLOCK", kThree, Pool("")));
  followed.answer.findings = AnyRing(followed.answer.findings);
  ExpectFound(followed, kHang, PoolDeadlock("PROBABLE_DEADLOCK probable, never ends", false));
}

TEST(HoldsDeadlock, OfSemaphoresUsedAsLocks) {
  const std::string file = "semaphores.cc";
  Followed followed = Follow("semaphores", {}, Until("DEADLOCK", {"export", "import"}));
  ExpectFound(followed, kHang,
              Lines({"PROBABLE_DEADLOCK probable, never ends",
                     Waits({"export", "semaphore g_tape",
                            Held("probably import", LineOf(file, "import takes")),
                            LineOf(file, "export waits")}),
                     Waits({"import", "semaphore g_disk",
                            Held("probably export", LineOf(file, "export takes")),
                            LineOf(file, "import waits")}),
                     "  ring: export, import"}));
}

std::string ReadersDeadlock(const std::string& lock, const std::string& marks) {
  const std::string file = "readers.cc";
  const std::string reader = LineOf(file, marks + "reader takes");
  const std::string writer = Held("writer", LineOf(file, marks + "writer takes"));
  return Lines(
      {"DEADLOCK certain, never ends",
       Waits({"east", "mutex g_log_mu", writer, LineOf(file, marks + "reader waits")}),
       Waits({"west", "mutex g_log_mu", writer, LineOf(file, marks + "reader waits")}),
       Waits({"writer", "rw lock " + lock, Held("east", reader) + " and " + Held("west", reader),
              LineOf(file, marks + "writer waits")}),
       "  ring"});
}

// The lock counts its readers, and these are all.
TEST(HoldsDeadlock, OfReadersAndAWriter) {
  Followed followed = Follow("readers", {}, Until("DEADLOCK", {"east", "west", "writer"}));
  followed.answer.findings = AnyRing(followed.answer.findings);
  ExpectFound(followed, kHang, ReadersDeadlock("g_routes", ""));
}

TEST(HoldsDeadlock, OfReadersOfASharedMutex) {
  Followed followed =
      Follow("readers", {"--shared"}, Until("DEADLOCK", {"east", "west", "writer"}));
  followed.answer.findings = AnyRing(followed.answer.findings);
  ExpectFound(followed, kHang, ReadersDeadlock("g_table", "table "));
}

// The library comes after the probes.
TEST(HoldsDeadlock, OfAPoolOfALibraryThatIsLoadedLater) {
  const std::string file = "plugin_host.cc";
  for (const Strings& arguments : {Strings{}, Strings{"--loads-later"}}) {
    Followed followed = Follow(
        "plugin_host", arguments,
        Until("DEADLOCK", {"left", "right"},
              {"--pool", "libplugin.so:plugin::SlotPool::take,plugin::SlotPool::give;capacity=2"}));
    followed.answer.findings = AnyRing(followed.answer.findings);
    const std::string taken = LineOf("plugin.cc", "plugin takes");
    const std::string holders = Held("left", taken) + " and " + Held("right", taken);
    ExpectFound(
        followed, kHang,
        Lines({"DEADLOCK certain, never ends",
               Waits({"left", "pool (anonymous namespace)::g_plugin_pool", holders, taken}),
               Waits({"right", "pool (anonymous namespace)::g_plugin_pool", holders, taken}),
               "  ring"}));
    EXPECT_THAT(followed.answer.run.output, HasSubstr("TakeTwo")) << file;
  }
}

// Mutexes name their owner without us; with us, the line where it was taken is known, too.
TEST(HoldsDeadlock, OfAMutexHasTheLineWhereItWasTaken) {
  const std::string file = "changing_hands.cc";
  const Followed followed =
      Follow("changing_hands", {}, Until("LONG_WAIT", {"waiter"}, {"--long-wait", "500ms"}));
  ExpectFound(
      followed, kFindings,
      Lines({"LONG_WAIT certain, may end",
             Waits({"waiter", "mutex g_state_mu", Held("jumper", LineOf(file, "jumper takes")),
                    LineOf(file, "waiter waits")}),
             "  chain: waiter",
             "  root: jumper sleeping in pause at " + LineOf(file, "jumper is")}));
}

TEST(HoldsLongWait, NamesTheReaders) {
  const std::string file = "readers.cc";
  Followed followed =
      Follow("readers", {"--works"}, Until("LONG_WAIT", {"writer"}, {"--long-wait", "500ms"}));
  followed.answer.findings =
      std::regex_replace(followed.answer.findings, std::regex("root: (east|west)"), "root: reader");
  const std::string taken = LineOf(file, "reader takes");
  ExpectFound(followed, kFindings,
              Lines({"LONG_WAIT certain, may end",
                     Waits({"writer", "rw lock g_routes",
                            Held("east", taken) + " and " + Held("west", taken),
                            LineOf(file, "writer waits")}),
                     "  chain: writer",
                     "  root: reader sleeping in pause at " + LineOf(file, "reader works")}));
}

// A semaphore is a pool of units; how many it has is not known.
TEST(PoolExhausted, OfASemaphoreNamesWhoHasIt) {
  const std::string file = "semaphores.cc";
  const Followed followed = Follow("semaphores", {"--waits"},
                                   Until("POOL_EXHAUSTED", {"writer"}, {"--long-wait", "500ms"}));
  ExpectFound(followed, kFindings,
              Lines({"POOL_EXHAUSTED probable, may end",
                     Waits({"writer", "semaphore g_tape",
                            Held("probably reader", LineOf(file, "reader takes")),
                            LineOf(file, "writer waits")})}));
}

TEST(PoolExhausted, NamesWhoHasAllOfIt) {
  const std::string file = "connection_pool.cc";
  const Followed followed =
      Follow("connection_pool", {"--exhausted"},
             Until("POOL_EXHAUSTED", {"order", "stock"},
                   {"--pool", kConnectionPool + ";capacity=3", "--long-wait", "500ms"}));
  const std::string report = Held("report", LineOf(file, "report takes"));
  const std::string holders = report + " and " + report + " and " + report;
  ExpectFound(followed, kFindings,
              Lines({"POOL_EXHAUSTED certain, may end",
                     Waits({"order", "pool g_pool", holders, LineOf(file, "waiter wants one")}),
                     Waits({"stock", "pool g_pool", holders, LineOf(file, "waiter wants one")})}));
  ASSERT_EQ(followed.answer.snapshot.findings_size(), 1);
  const v1::Finding& finding = followed.answer.snapshot.findings(0);
  ASSERT_EQ(finding.resources_size(), 1);
  const v1::Resource& pool =
      followed.answer.snapshot.resources(static_cast<int>(finding.resources(0)));
  EXPECT_EQ(pool.capacity(), 3U);
  EXPECT_EQ(pool.in_use(), 3U);
  EXPECT_EQ(pool.high_water(), 3U);
}

TEST(AbandonedLock, HasTheLineWhereItWasTaken) {
  const Followed followed =
      Follow("changing_hands", {"--exits"}, Until("ABANDONED_LOCK", {"waiter"}));
  ExpectFound(followed, kHang,
              Lines({"ABANDONED_LOCK certain, never ends",
                     "  waiter waits for mutex g_state_mu abandoned: owner exited at " +
                         LineOf("changing_hands.cc", "waiter waits")}));
}

}  // namespace
}  // namespace ct::test
