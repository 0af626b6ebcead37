// graph/ against the oracle on random observations. A failure prints the seed that made it.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/chain.h"
#include "graph/knots.h"
#include "graph/spread.h"
#include "graph/stuck_set.h"
#include "tests/unit/graph/oracle.h"
#include "tests/unit/graph/random_observation.h"

namespace ct {
namespace {

using testing::ActorSet;
using ::testing::ElementsAreArray;
using testing::Oracle;
using testing::RandomObservation;

constexpr std::uint32_t kObservations = 4000;

ActorSet ToSet(const std::vector<ActorIndex>& actors) { return {actors.begin(), actors.end()}; }

// Each step's wait is of an actor of the knot, for what the next step's actor holds.
void ExpectRingCloses(const Observation& observation, const Knot& knot) {
  for (std::size_t i = 0; i < knot.ring.size(); ++i) {
    const Wait& wait = observation.waits.at(static_cast<std::size_t>(knot.ring[i].wait));
    const Hold& hold = observation.holds.at(static_cast<std::size_t>(knot.ring[i].held_by_next));
    const RingStep& next = knot.ring[(i + 1) % knot.ring.size()];
    EXPECT_EQ(wait.actor, knot.members.at(i));
    EXPECT_EQ(wait.resource, hold.resource);
    EXPECT_EQ(hold.actor, observation.waits.at(static_cast<std::size_t>(next.wait)).actor);
  }
}

struct Counts {
  std::size_t stuck = 0;
  std::size_t knots = 0;
  std::size_t large_knots = 0;  // with members outside of their ring
  std::size_t behind = 0;
};

void Compare(const Observation& observation, StuckRules rules, Counts& counts) {
  const WaitGraph graph(observation);
  const StuckSet stuck(graph, rules);
  const Oracle oracle(observation, rules);
  ASSERT_EQ(ToSet(stuck.actors()), oracle.Stuck());
  counts.stuck += stuck.actors().size();

  std::vector<ActorSet> members;
  Spread spread(graph);
  for (const Knot& knot : FindKnots(graph, stuck)) {
    members.push_back(ToSet(knot.members));
    EXPECT_EQ(members.back().size(), knot.members.size()) << "each once";
    EXPECT_EQ(knot.ring.size(), oracle.ShortestCycle(members.back()));
    ExpectRingCloses(observation, knot);
    const auto behind = spread.Behind(knot.members, &stuck, {});
    EXPECT_EQ(ToSet(behind),
              testing::BehindByAsking(observation, members.back(), ToSet(stuck.actors())));
    ++counts.knots;
    counts.large_knots += knot.members.size() > knot.ring.size() ? 1 : 0;
    counts.behind += behind.size();
  }
  std::sort(members.begin(), members.end());
  ASSERT_THAT(members, ElementsAreArray(oracle.Knots()));
}

TEST(GraphProperty, AgreesWithTheDefinitions) {
  Counts counts;
  for (std::uint32_t seed = 1; seed <= kObservations; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Observation observation = RandomObservation(seed);
    for (const StuckRules& rules : {StuckRules::Proven(), StuckRules::Proven().WithTimed(),
                                    StuckRules::Likely(), StuckRules::Likely().WithTimed()}) {
      Compare(observation, rules, counts);
    }
    if (HasFailure()) break;
  }
  // Random graphs that never get stuck would prove nothing.
  EXPECT_GT(counts.stuck, kObservations);
  EXPECT_GT(counts.knots, kObservations / 2);
  EXPECT_GT(counts.large_knots, kObservations / 40);
  EXPECT_GT(counts.behind, kObservations / 2);
}

TEST(GraphProperty, ChainsLeadToTheirRoots) {
  for (std::uint32_t seed = 1; seed <= kObservations; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Observation observation = RandomObservation(seed);
    const WaitGraph graph(observation);
    const RootFinder roots(graph, {});
    for (ActorIndex actor = 0; actor < static_cast<ActorIndex>(graph.actor_count()); ++actor) {
      const Chain chain = roots.ChainFrom(actor);
      ASSERT_EQ(chain.root, roots.RootOf(actor));
      ASSERT_LE(chain.steps.size(), graph.actor_count());
      ActorIndex at = actor;
      for (const RingStep& step : chain.steps) {
        ASSERT_EQ(graph.wait(step.wait).actor, at);
        at = step.held_by_next == kNoIndex ? kNoIndex : graph.hold(step.held_by_next).actor;
        if (at != kNoIndex) {
          ASSERT_EQ(roots.RootOf(at), chain.root);
        }
      }
      ASSERT_EQ(at, chain.root.actor);
    }
  }
}

}  // namespace
}  // namespace ct
