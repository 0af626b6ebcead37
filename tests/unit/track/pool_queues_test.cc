#include "track/pool_queues.h"

#include <gtest/gtest.h>

#include "tests/unit/graph/observation_builder.h"

namespace ct {
namespace {

using testing::kNow;

// A pool for which so many wait.
Observation At(int second, int waiting, const std::string& type = "asyncpg pool") {
  std::string text = "lock P: pool capacity=1 in_use=1\nholder: task, holds P\n";
  for (int i = 0; i < waiting; ++i) text += "t" + std::to_string(i) + ": task, waits P\n";
  Observation observation = testing::Observe(text);
  observation.end = kNow + second * kSecond;
  for (Resource& resource : observation.resources) resource.type = type;
  return observation;
}

std::optional<QueueLength> Mark(PoolQueues& queues, Observation observation) {
  queues.Mark(observation);
  return observation.resources[0].queue_before;
}

TEST(PoolQueues, AreComparedWithTheOldestThatIsKept) {
  PoolQueues queues;
  EXPECT_EQ(Mark(queues, At(0, 3)), std::nullopt);
  EXPECT_EQ(Mark(queues, At(10, 5)), (QueueLength{kNow, 3}));
  EXPECT_EQ(Mark(queues, At(60, 7)), (QueueLength{kNow, 3}));
  EXPECT_EQ(Mark(queues, At(61, 9)), (QueueLength{kNow + 10 * kSecond, 5}));
  EXPECT_EQ(Mark(queues, At(200, 9)), std::nullopt);
}

TEST(PoolQueues, OfAnotherPoolAtTheSameAddressTellNothing) {
  PoolQueues queues;
  Mark(queues, At(0, 3));
  EXPECT_EQ(Mark(queues, At(10, 5, "redis pool")), std::nullopt);
}

TEST(PoolQueues, OfOtherResourcesAreNotKept) {
  PoolQueues queues;
  for (int second = 0; second < 3; ++second) {
    Observation observation = At(second, 2);
    observation.resources[0].kind = ResourceKind::kMutex;
    EXPECT_EQ(Mark(queues, observation), std::nullopt);
  }
}

}  // namespace
}  // namespace ct
