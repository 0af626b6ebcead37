// graph/ against the oracle on random observations. A failure prints the seed that made it.
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/chain.h"
#include "graph/knots.h"
#include "graph/spread.h"
#include "graph/stuck_set.h"
#include "tests/unit/graph/observation_builder.h"
#include "tests/unit/graph/oracle.h"

namespace ct {
namespace {

using testing::ActorSet;
using ::testing::ElementsAreArray;
using testing::Oracle;

constexpr std::uint32_t kObservations = 4000;

class Dice {
 public:
  explicit Dice(std::uint32_t seed) : engine_(seed) {}
  int Upto(int limit) { return static_cast<int>(engine_() % static_cast<std::uint32_t>(limit)); }
  bool Percent(int chance) { return Upto(100) < chance; }

 private:
  std::mt19937 engine_;
};

void AddRandomResource(Dice& dice, testing::ObservationBuilder& builder, int number) {
  const ResourceIndex index = builder.Lock("L" + std::to_string(number));
  Resource& resource = builder.observation.resources[static_cast<std::size_t>(index)];
  if (dice.Percent(30)) resource.rule = ReleaseRule::kAllHolders;
  if (dice.Percent(8)) resource.holders_known = false;
  if (dice.Percent(10)) resource.capacity = 1 + dice.Upto(3);
  if (dice.Percent(4)) resource.abandoned = Abandoned::kOwnerExited;
}

void AddRandomWait(Dice& dice, testing::ObservationBuilder& builder, ActorIndex actor,
                   int resources) {
  Wait& wait = builder.Waits(actor, dice.Upto(resources));
  if (dice.Percent(12)) wait.evidence = Evidence::kProbable;
  if (dice.Percent(4)) wait.evidence = Evidence::kUnknown;
  if (dice.Percent(15)) wait.continuity = Continuity::kContinued;
  if (dice.Percent(5)) wait.continuity = Continuity::kSeenOnce;
  if (dice.Percent(12)) wait.timed = true;
  if (dice.Percent(5)) {
    builder.observation.actors[static_cast<std::size_t>(actor)].state = RunState::kRunnable;
  }
}

Observation RandomObservation(std::uint32_t seed) {
  Dice dice(seed);
  testing::ObservationBuilder builder;
  const int actors = 1 + dice.Upto(testing::kMaxActors);
  const int resources = 1 + dice.Upto(actors + 2);
  for (int i = 0; i < actors; ++i) builder.Thread("t" + std::to_string(i));
  for (int i = 0; i < resources; ++i) AddRandomResource(dice, builder, i);
  for (ActorIndex i = 0; i < actors; ++i) {
    if (dice.Percent(92)) AddRandomWait(dice, builder, i, resources);
  }
  for (int i = 0; i < resources; ++i) {
    const int holders = dice.Percent(60) ? 1 : dice.Upto(4);
    for (int j = 0; j < holders; ++j) {
      Hold& hold = builder.Holds(dice.Upto(actors), i);
      if (dice.Percent(12)) hold.evidence = Evidence::kProbable;
      if (dice.Percent(3)) hold.evidence = Evidence::kUnknown;
    }
  }
  return builder.Build();
}

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
