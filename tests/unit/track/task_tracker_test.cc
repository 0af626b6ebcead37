#include "track/task_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/graph/observation_builder.h"

namespace ct {
namespace {

using ::testing::ElementsAre;

class TaskTrackers : public ::testing::Test {
 protected:
  // Tasks by name, each with the line of its frame; all wait for the same lock.
  Observation See(const std::vector<std::pair<std::string, std::uint32_t>>& tasks) {
    Observation observation;
    observation.begin = now_ += 10 * kSecond;
    observation.end = observation.begin + kMillisecond;
    observation.resources.emplace_back();
    for (const auto& [name, line] : tasks) {
      Actor actor;
      actor.kind = ActorKind::kTask;
      actor.name = name;
      actor.task = 0x1000 + name.size();
      actor.user_stack = static_cast<StackIndex>(observation.stacks.size());
      Stack stack;
      stack.frames.emplace_back().line = line;
      observation.stacks.push_back(stack);
      Wait wait;
      wait.actor = static_cast<ActorIndex>(observation.actors.size());
      wait.resource = 0;
      wait.since = observation.begin;
      observation.waits.push_back(wait);
      observation.actors.push_back(actor);
    }
    changes_ = tracker_.Update(observation);
    return observation;
  }
  TaskTracker tracker_;
  TaskChanges changes_;
  TimeNs now_ = testing::kNow;
};

TEST_F(TaskTrackers, TellsWhoIsNewHasMovedAndHasEnded) {
  See({{"stays", 1}, {"moves", 2}, {"goes", 3}});
  EXPECT_THAT(changes_.appeared, ElementsAre(0, 1, 2));
  See({{"comes", 4}, {"stays", 1}, {"moves", 7}});
  EXPECT_THAT(changes_.appeared, ElementsAre(0));
  EXPECT_THAT(changes_.same, ElementsAre(1));
  EXPECT_THAT(changes_.moved, ElementsAre(2));
  EXPECT_THAT(changes_.ended, ElementsAre("task goes"));
  See({{"stays", 1}});
  EXPECT_THAT(changes_.same, ElementsAre(0));
  EXPECT_THAT(changes_.ended, ElementsAre("task comes", "task moves"));
}

TEST_F(TaskTrackers, KnowsHowLongFromTheLooksBefore) {
  const Observation first = See({{"stays", 1}});
  EXPECT_EQ(first.waits[0].since, first.begin);
  EXPECT_FALSE(first.waits[0].not_before);  // nobody looked before
  const Observation second = See({{"stays", 1}, {"comes", 2}});
  EXPECT_EQ(second.waits[0].since, first.end);
  EXPECT_EQ(second.waits[1].since, second.begin);
  EXPECT_EQ(second.waits[1].not_before, first.begin);
  const Observation third = See({{"stays", 9}, {"comes", 2}});
  EXPECT_EQ(third.waits[0].since, third.begin);
  EXPECT_EQ(third.waits[0].not_before, second.begin);
  EXPECT_EQ(third.waits[1].since, second.end);
}

TEST_F(TaskTrackers, AnotherDeadlineIsAnotherWait) {
  Observation observation = See({{"sleeps", 1}});
  observation.waits[0].deadline = now_;
  tracker_.Update(observation);
  EXPECT_THAT(tracker_.Update(observation).same, ElementsAre(0));
  observation.waits[0].deadline = now_ + 1;
  EXPECT_THAT(tracker_.Update(observation).moved, ElementsAre(0));
}

}  // namespace
}  // namespace ct
