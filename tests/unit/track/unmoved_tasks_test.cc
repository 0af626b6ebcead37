#include "track/unmoved_tasks.h"

#include <gtest/gtest.h>

#include "tests/unit/graph/observation_builder.h"

namespace ct {
namespace {

using testing::kNow;

Observation At(int second, std::uint64_t future) {
  Observation observation = testing::Observe("a: task, waits L");
  observation.end = kNow + second * kSecond;
  observation.actors[0].task = 0x1000;
  observation.actors[0].still = true;
  observation.resources[0].id.address = future;
  return observation;
}

TEST(UnmovedTasks, AreSoAfterManyLooks) {
  UnmovedTasks tasks;
  const int many = UnmovedTasks::kManyLooks;
  for (int look = 0; look < many - 1; ++look) {
    Observation observation = At(look, 0x2000);
    tasks.Mark(observation);
    EXPECT_FALSE(observation.waits[0].unmoved_since);
  }
  Observation observation = At(many, 0x2000);
  tasks.Mark(observation);
  EXPECT_EQ(observation.waits[0].unmoved_since, kNow);
}

TEST(UnmovedTasks, OneDifferenceIsEnough) {
  const auto other_future = [](Observation& o) { o.resources[0].id.address = 0x3000; };
  const auto moving = [](Observation& o) { o.actors[0].still = false; };
  const auto other_task = [](Observation& o) { o.actors[0].name = "b"; };
  const auto deadline = [](Observation& o) { o.waits[0].deadline = kNow; };
  for (void (*const change)(Observation&) : {+other_future, +moving, +other_task, +deadline}) {
    UnmovedTasks tasks;
    for (int look = 0; look < 20; ++look) {
      Observation observation = At(look, 0x2000);
      if (look % 7 == 0) change(observation);
      tasks.Mark(observation);
      EXPECT_FALSE(observation.waits[0].unmoved_since) << look;
    }
  }
}

TEST(UnmovedTasks, OneThatWasNotSeenBeginsAnew) {
  UnmovedTasks tasks;
  for (int look = 0; look < 20; ++look) {
    Observation observation = look % 7 == 0 ? Observation() : At(look, 0x2000);
    tasks.Mark(observation);
    for (const Wait& wait : observation.waits) EXPECT_FALSE(wait.unmoved_since) << look;
  }
}

}  // namespace
}  // namespace ct
