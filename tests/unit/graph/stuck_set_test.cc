// One test a rule of who can make progress; how they combine is the property test's business.
#include "graph/stuck_set.h"

#include <gtest/gtest.h>

#include "tests/unit/graph/observation_builder.h"

namespace ct {
namespace {

std::string Stuck(std::string_view text, StuckRules rules = StuckRules::Proven()) {
  const Observation observation = testing::Observe(text);
  const WaitGraph graph(observation);
  const StuckSet stuck(graph, rules);
  std::string names;
  for (const ActorIndex actor : stuck.actors()) {
    names += (names.empty() ? "" : " ") + observation.actors[static_cast<std::size_t>(actor)].name;
  }
  return names;
}

TEST(StuckSet, ARingAndWhoWaitsBehindIt) {
  EXPECT_EQ(Stuck(R"(
    a: holds L, waits M
    b: holds M, waits L
    c: waits L
    d: holds N, runs
    e: waits N
  )"),
            "a b c");
}

TEST(StuckSet, AHolderThatIsHeldBackOrAsleepCanGoOn) {
  EXPECT_EQ(Stuck("a: waits L\nb: holds L, stopped"), "");
  EXPECT_EQ(Stuck("a: waits L\nb: holds L, throttled"), "");
  EXPECT_EQ(Stuck("a: waits L\nb: holds L, uninterruptible"), "");
  EXPECT_EQ(Stuck("a: waits L\nb: holds L"), "");
}

TEST(StuckSet, AFreeResourceWithWaitersChangesHandsJustNow) { EXPECT_EQ(Stuck("a: waits L"), ""); }

TEST(StuckSet, NobodyReleasesAnAbandonedOne) {
  EXPECT_EQ(Stuck("lock L: exited\na: waits L, holds M\nb: waits M"), "a b");
  EXPECT_EQ(Stuck("lock L: exited unknown\na: waits L"), "a");
}

TEST(StuckSet, UnknownHoldersMayRelease) {
  EXPECT_EQ(Stuck("lock L: unknown\na: holds L, waits L"), "");
}

TEST(StuckSet, AnyOneHolderOrAllOfThem) {
  const std::string text = "a: holds L, waits L\nb: holds L, runs";
  EXPECT_EQ(Stuck("lock L: pool\n" + text, StuckRules::Likely()), "");
  EXPECT_EQ(Stuck("lock L: all\n" + text, StuckRules::Likely()), "a");
  EXPECT_EQ(Stuck("lock L: pool\na: holds L, waits L\nb: holds L, waits L", StuckRules::Likely()),
            "a b");
}

TEST(StuckSet, CountedResourcesProveNothing) {
  EXPECT_EQ(Stuck("lock L: capacity=2\na: holds L, waits L"), "");
  EXPECT_EQ(Stuck("lock L: capacity=2\na: holds L, waits L", StuckRules::Likely()), "a");
}

TEST(StuckSet, ProbableEdgesCountOnlyWhereAskedFor) {
  EXPECT_EQ(Stuck("a: holds L probable, waits L"), "");
  EXPECT_EQ(Stuck("a: holds L, waits L probable"), "");
  EXPECT_EQ(Stuck("a: holds L probable, waits L probable", StuckRules::Likely()), "a");
  EXPECT_EQ(Stuck("a: holds L doubtful, waits L", StuckRules::Likely()), "");
  EXPECT_EQ(Stuck("lock L: all\na: holds L, waits L\nb: holds L probable"), "a")
      << "one certain holder of all is enough";
}

TEST(StuckSet, TimedWaitsCountOnlyWhereAskedForAndStill) {
  EXPECT_EQ(Stuck("a: holds L, waits L timed"), "");
  EXPECT_EQ(Stuck("a: holds L, waits L timed=3s"), "");
  EXPECT_EQ(Stuck("a: holds L, waits L timed", StuckRules::Proven().WithTimed()), "a");
  EXPECT_EQ(Stuck("a: holds L, waits L timed continued", StuckRules::Proven().WithTimed()), "");
}

TEST(StuckSet, AWaitMustHaveLasted) {
  EXPECT_EQ(Stuck("a: holds L, waits L continued"), "a");
  EXPECT_EQ(Stuck("a: holds L, waits L continued, runnable"), "a") << "woken in vain";
  EXPECT_EQ(Stuck("a: holds L, waits L continued", StuckRules::Likely()), "");
  EXPECT_EQ(Stuck("a: holds L, waits L once"), "");
  EXPECT_EQ(Stuck("a: holds L, waits L still, runs"), "");
}

}  // namespace
}  // namespace ct
