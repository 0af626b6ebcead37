#include "graph/chain.h"

#include <gtest/gtest.h>

#include "tests/unit/graph/observation_builder.h"

namespace ct {
namespace {

// "a>L b>M root c", from the first actor; "root ?L" where the holder of L is unknown.
std::string ChainOf(const Observation& observation, const std::vector<bool>& stop_at = {}) {
  const WaitGraph graph(observation);
  const Chain chain = RootFinder(graph, stop_at).ChainFrom(0);
  std::string text;
  for (const RingStep& step : chain.steps) {
    text += graph.actor(graph.wait(step.wait).actor).name + ">" +
            graph.resource(graph.wait(step.wait).resource).symbol + " ";
  }
  return text + "root " +
         (chain.root.actor != kNoIndex ? graph.actor(chain.root.actor).name
                                       : "?" + graph.resource(chain.root.resource).symbol);
}
std::string ChainOf(std::string_view text) { return ChainOf(testing::Observe(text)); }

TEST(Chain, LeadsHolderByHolderToTheRoot) {
  EXPECT_EQ(ChainOf("a: waits L\nb: holds L, waits M\nc: holds M, runs"), "a>L b>M root c");
}

TEST(Chain, OfWhoDoesNotWaitIsItself) { EXPECT_EQ(ChainOf("a: runs"), "root a"); }

TEST(Chain, FollowsAJoin) {
  EXPECT_EQ(ChainOf("a: waits L\nb: holds L, joins c\nc: runs"), "a>L b>exit-of-c root c");
}

TEST(Chain, EndsWhereSomebodyWaitsForAnEvent) {
  EXPECT_EQ(ChainOf("a: waits L\nb: holds L, waits C event"), "a>L root b");
}

TEST(Chain, EndsAtALockOfWhichTheHolderIsUnknown) {
  EXPECT_EQ(ChainOf("a: waits L\nb: holds L, waits M"), "a>L b>M root ?M");
}

TEST(Chain, EndsAtOneThatHasLeftItsWait) {
  EXPECT_EQ(ChainOf("a: waits L\nb: holds L, waits M once, runs\nc: holds M, runs"), "a>L root b");
}

TEST(Chain, OfACycleEndsAtItsLowestActor) {
  EXPECT_EQ(ChainOf("x: waits L\na: holds L, waits M\nb: holds M, waits L"), "x>L root a");
  EXPECT_EQ(ChainOf("a: holds L, waits M\nb: holds M, waits L"), "a>M b>L root a");
  EXPECT_EQ(ChainOf("x: waits M\na: holds L, waits M\nb: holds M, waits L"), "x>M b>L root a");
}

TEST(Chain, TakesTheHolderKnownBestThenLongest) {
  EXPECT_EQ(ChainOf("a: waits L\nb: holds L probable\nc: holds L"), "a>L root c");
  Observation observation = testing::Observe("a: waits L\nb: holds L\nc: holds L\nd: holds L");
  observation.holds[1].since = testing::kNow - 2 * kSecond;
  observation.holds[2].since = testing::kNow - 1 * kSecond;
  EXPECT_EQ(ChainOf(observation), "a>L root c");
}

TEST(Chain, StopsWhereItIsTold) {
  const Observation observation =
      testing::Observe("a: waits L\nb: holds L, waits M\nc: holds M, runs");
  EXPECT_EQ(ChainOf(observation, {false, true, false}), "a>L root b");
}

TEST(Chain, IsAsSureAsItsWeakestEdge) {
  const auto evidence = [](std::string_view text) {
    const Observation observation = testing::Observe(text);
    const WaitGraph graph(observation);
    return RootFinder(graph, {}).ChainFrom(0).evidence;
  };
  EXPECT_EQ(evidence("a: waits L\nb: holds L"), Evidence::kCertain);
  EXPECT_EQ(evidence("a: waits L probable\nb: holds L"), Evidence::kProbable);
  EXPECT_EQ(evidence("a: waits L\nb: holds L probable"), Evidence::kProbable);
}

}  // namespace
}  // namespace ct
