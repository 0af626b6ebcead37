#include "graph/wait_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/graph/observation_builder.h"

namespace ct {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(WaitGraph, KnowsWaitersHoldersAndHolds) {
  const Observation observation = testing::Observe(R"(
    a: holds L, waits M
    b: holds L, holds M
    c: waits M
  )");
  const WaitGraph graph(observation);
  EXPECT_EQ(graph.actor_count(), 3U);
  EXPECT_EQ(graph.resource_count(), 2U);
  EXPECT_EQ(graph.WaitOf(0), 0);
  EXPECT_EQ(graph.WaitOf(1), kNoIndex);
  EXPECT_EQ(graph.WaitOf(2), 1);
  EXPECT_THAT(graph.WaitersOf(0), IsEmpty());
  EXPECT_THAT(graph.WaitersOf(1), ElementsAre(0, 1));
  EXPECT_THAT(graph.HoldersOf(0), ElementsAre(0, 1));
  EXPECT_THAT(graph.HoldersOf(1), ElementsAre(2));
  EXPECT_THAT(graph.HoldsOf(0), ElementsAre(0));
  EXPECT_THAT(graph.HoldsOf(1), ElementsAre(1, 2));
  EXPECT_THAT(graph.HoldsOf(2), IsEmpty());
}

TEST(WaitGraph, OfNothing) {
  const Observation nothing;
  const WaitGraph graph(nothing);
  EXPECT_EQ(graph.actor_count(), 0U);
  EXPECT_EQ(graph.resource_count(), 0U);
}

TEST(WaitGraph, DropsEdgesThatPointNowhere) {
  Observation observation = testing::Observe("a: holds L, waits L");
  for (const std::int32_t nowhere : {-1, -100, 1, 1 << 30}) {
    Observation broken = observation;
    broken.waits[0].actor = nowhere;
    broken.holds[0].resource = nowhere;
    const WaitGraph graph(broken);
    EXPECT_EQ(graph.WaitOf(0), kNoIndex);
    EXPECT_THAT(graph.HoldsOf(0), IsEmpty());
    EXPECT_TRUE(graph.HoldersKnown(0));
  }
}

TEST(WaitGraph, AHoldByNobodyMakesTheHoldersUnknown) {
  Observation observation = testing::Observe("a: holds L, waits L");
  observation.holds[0].actor = 9;
  const WaitGraph graph(observation);
  EXPECT_THAT(graph.HoldersOf(0), IsEmpty());
  EXPECT_FALSE(graph.HoldersKnown(0));
}

TEST(WaitGraph, KeepsAnActorsFirstWait) {
  const Observation observation = testing::Observe("a: waits L, waits M");
  const WaitGraph graph(observation);
  EXPECT_EQ(graph.WaitOf(0), 0);
  EXPECT_THAT(graph.WaitersOf(1), IsEmpty());
}

TEST(WaitGraph, CallsAResourceCountedThatHasSeveralUnits) {
  const Observation observation = testing::Observe(R"(
    lock units: semaphore capacity=2
    lock readers: rwlock all
    a: holds mutex, holds mutex, holds pool, holds units, holds readers
    b: holds pool, holds readers
    c: waits free
  )");
  const WaitGraph graph(observation);
  const auto counted = [&](std::string_view name) {
    for (std::size_t i = 0; i < observation.resources.size(); ++i) {
      if (observation.resources[i].symbol == name) {
        return graph.IsCounted(static_cast<ResourceIndex>(i));
      }
    }
    throw std::logic_error("no such lock");
  };
  EXPECT_TRUE(counted("units"));
  EXPECT_TRUE(counted("pool"));
  EXPECT_FALSE(counted("mutex")) << "one holder, twice";
  EXPECT_FALSE(counted("readers")) << "all of them must release";
  EXPECT_FALSE(counted("free"));
}

TEST(WaitGraph, KnowsTheMemorySpaceOfAnActor) {
  Observation observation = testing::Observe("a: runs\nprocess other\nb: runs");
  observation.processes[1].space = 7;
  observation.actors.push_back(Actor{});
  const WaitGraph graph(observation);
  EXPECT_EQ(graph.SpaceOf(0), 1U);
  EXPECT_EQ(graph.SpaceOf(1), 7U);
  EXPECT_EQ(graph.SpaceOf(2), 0U);
}

}  // namespace
}  // namespace ct
