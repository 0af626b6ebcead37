#include "graph/spread.h"

#include <gtest/gtest.h>

#include "tests/unit/graph/observation_builder.h"

namespace ct {
namespace {

// Who is behind the first actor.
std::string Behind(std::string_view text, const std::vector<bool>& excluded = {}) {
  const Observation observation = testing::Observe(text);
  const WaitGraph graph(observation);
  Spread spread(graph);
  const std::vector<ActorIndex> core = {0};
  std::string names;
  for (const ActorIndex actor : spread.Behind(core, nullptr, excluded)) {
    names += (names.empty() ? "" : " ") + graph.actor(actor).name;
  }
  return names;
}

TEST(Spread, ReachesThroughEveryKindOfWait) {
  EXPECT_EQ(Behind(R"(
    root: holds L
    a: waits L, holds M
    b: waits M probable once timed
    main: joins b
    other: waits N
  )"),
            "a b main");
}

TEST(Spread, ThroughACountedResourceOnlyIfItReachesAllItsHolders) {
  const std::string pool = "root: holds L, holds P\na: waits L, holds P\nb: waits P\n";
  EXPECT_EQ(Behind(pool), "a b");
  EXPECT_EQ(Behind(pool + "c: holds P, runs"), "a");
  EXPECT_EQ(Behind("lock P: all\n" + pool + "c: holds P, runs"), "a b");
}

TEST(Spread, NotPastUnknownHoldersOrUnknownWaits) {
  EXPECT_EQ(Behind("lock L: unknown\nroot: holds L\na: waits L"), "");
  EXPECT_EQ(Behind("root: holds L\na: waits L doubtful"), "");
  EXPECT_EQ(Behind("root: holds L doubtful\na: waits L"), "");
  EXPECT_EQ(Behind("root: holds L\na: waits L once, runs"), "");
}

TEST(Spread, NotPastTheExcluded) {
  EXPECT_EQ(Behind("root: holds L\na: waits L, holds M\nb: waits M", {false, true, false}), "");
}

TEST(Spread, IsNotConfusedByItsLastAnswer) {
  const Observation observation = testing::Observe(R"(
    a: holds P
    b: holds P
    c: waits P
  )");
  const WaitGraph graph(observation);
  Spread spread(graph);
  for (const ActorIndex alone : {0, 1, 0}) {
    const std::vector<ActorIndex> core = {alone};
    EXPECT_TRUE(spread.Behind(core, nullptr, {}).empty());
  }
  const std::vector<ActorIndex> both = {0, 1};
  EXPECT_EQ(spread.Behind(both, nullptr, {}), (std::vector<ActorIndex>{2}));
}

}  // namespace
}  // namespace ct
