#include "graph/knots.h"

#include <gtest/gtest.h>

#include "tests/unit/graph/observation_builder.h"

namespace ct {
namespace {

// "a b/2": the members, and how many of them are the ring; one line a knot.
std::string Knots(const Observation& observation) {
  const WaitGraph graph(observation);
  std::string text;
  for (const Knot& knot : FindKnots(graph, StuckSet(graph, StuckRules::Likely()))) {
    if (!text.empty()) text += '\n';
    for (const ActorIndex actor : knot.members) {
      text += observation.actors[static_cast<std::size_t>(actor)].name + " ";
    }
    text += "/" + std::to_string(knot.ring.size());
  }
  return text;
}
std::string Knots(std::string_view text) { return Knots(testing::Observe(text)); }

TEST(Knots, ARingWithoutThoseBehind) {
  EXPECT_EQ(Knots(R"(
    c: waits L
    a: holds L, waits M
    b: holds M, waits L
  )"),
            "a b /2");
}

TEST(Knots, CyclesThatShareAnActorAreOne) {
  EXPECT_EQ(Knots(R"(
    lock all: all
    hub: holds L, holds M, waits all
    a: holds all, waits L
    b: holds all, waits N
    c: holds N, waits M
  )"),
            "hub a b c /2");
}

TEST(Knots, ShowTheShortestCycle) {
  EXPECT_EQ(Knots(R"(
    lock all: all
    a: holds A, waits B
    b: holds B, waits C
    c: holds C, waits all
    d: holds all, waits C
    x: holds all, waits A
  )"),
            "c d a b x /2");
}

TEST(Knots, BehindAnAbandonedLockThereIsNone) {
  EXPECT_EQ(Knots("lock L: exited\na: waits L, holds M\nb: waits M"), "");
}

TEST(Knots, ARingOfTenThousandIsOne) {
  constexpr int kActors = 10'000;
  testing::ObservationBuilder builder;
  builder.Process("app");
  builder.observation.actors.resize(kActors);
  builder.observation.resources.resize(kActors);
  for (ActorIndex i = 0; i < kActors; ++i) {
    builder.observation.actors[static_cast<std::size_t>(i)].process = 0;
    builder.observation.resources[static_cast<std::size_t>(i)].holders_known = true;
    builder.Holds(i, i);
    builder.Waits(i, (i + 1) % kActors);
  }
  const Observation observation = builder.Build();
  const WaitGraph graph(observation);
  const auto knots = FindKnots(graph, StuckSet(graph, StuckRules::Proven()));
  ASSERT_EQ(knots.size(), 1U);
  EXPECT_EQ(knots[0].ring.size(), static_cast<std::size_t>(kActors));
  EXPECT_EQ(knots[0].ring.front(), (RingStep{0, 1}));
}

}  // namespace
}  // namespace ct
