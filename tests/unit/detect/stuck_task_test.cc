// Tasks that do not go on, though they wait for no lock; and those that only look like it.
#include <gtest/gtest.h>

#include "detect/detect.h"
#include "tests/unit/graph/observation_builder.h"

namespace ct {
namespace {

using testing::kNow;
using testing::ObservationBuilder;

// A task that works for a request and waits for an event, at a place of its own.
class Service {
 public:
  ActorIndex Task(const char* name, const char* waits_for, const char* function = "endpoint") {
    const ActorIndex actor = builder_.Thread(name);
    Actor& row = builder_.observation.actors[static_cast<std::size_t>(actor)];
    row.kind = ActorKind::kTask;
    row.request = "GET /";
    row.user_stack = static_cast<StackIndex>(builder_.observation.stacks.size());
    Frame frame;
    frame.function = function;
    builder_.observation.stacks.emplace_back().frames = {frame};
    Wait& wait = builder_.Waits(actor, builder_.Lock(waits_for));
    wait.purpose = WaitPurpose::kEvent;
    wait.since = kNow - kSecond;
    return actor;
  }
  Wait& WaitOf(ActorIndex actor) {
    return builder_.observation.waits[static_cast<std::size_t>(actor)];
  }
  Actor& Row(ActorIndex actor) {
    return builder_.observation.actors[static_cast<std::size_t>(actor)];
  }
  Resource& Lock(const char* name) {
    return builder_.observation.resources[static_cast<std::size_t>(builder_.Lock(name))];
  }
  void Ends(ActorIndex child, const char* waited_for) {
    builder_.Holds(child, builder_.Lock(waited_for));
  }
  std::string Findings() {
    const Observation observation = builder_.Build();
    return testing::Summary(Detect(observation), observation);
  }

 private:
  ObservationBuilder builder_;
};

constexpr TimeNs kLongAgo = kNow - 20 * kSecond;

TEST(StuckTask, OfALoopThatSleptIsCertain) {
  Service service;
  const ActorIndex task = service.Task("a", "event");
  EXPECT_EQ(service.Findings(), "");
  service.WaitOf(task).since = kLongAgo;
  EXPECT_EQ(service.Findings(), "STUCK_TASK certain, may end, for 20.0 s | a wait");
}

TEST(StuckTask, ThatEveryLookSawInTheSameWaitIsProbable) {
  Service service;
  const ActorIndex task = service.Task("a", "event");
  service.WaitOf(task).unmoved_since = kLongAgo;
  EXPECT_EQ(service.Findings(), "STUCK_TASK probable, may end, for 20.0 s | a wait");
  service.WaitOf(task).unmoved_since = kNow - 9 * kSecond;
  EXPECT_EQ(service.Findings(), "");
}

TEST(StuckTask, NamesTheTaskThatItWaitsForInTheEnd) {
  Service service;
  const ActorIndex parent = service.Task("a", "child");
  const ActorIndex child = service.Task("b", "event");
  service.Ends(child, "child");
  service.Row(child).request.clear();
  service.WaitOf(parent).since = service.WaitOf(child).since = kLongAgo;
  EXPECT_EQ(service.Findings(), "STUCK_TASK certain, may end, for 20.0 s | a wait | root b");
  // One that goes on meanwhile is no reason.
  service.WaitOf(child).since = kNow;
  EXPECT_EQ(service.Findings(), "");
}

// asyncio.wait(FIRST_COMPLETED): the other one may be at work.
TEST(StuckTask, NotBecauseOfOneOfSeveralOfWhichAnyWillDo) {
  Service service;
  const ActorIndex parent = service.Task("a", "either");
  const ActorIndex idle = service.Task("b", "event");
  const ActorIndex works = service.Task("c", "rows");
  service.Ends(idle, "either");
  service.Ends(works, "either");
  service.Row(idle).request.clear();
  service.Row(works).request.clear();
  service.WaitOf(parent).unmoved_since = service.WaitOf(idle).unmoved_since = kLongAgo;
  EXPECT_EQ(service.Findings(), "");
  service.Lock("either").rule = ReleaseRule::kAllHolders;
  EXPECT_EQ(service.Findings(), "STUCK_TASK probable, may end, for 20.0 s | a wait | root b");
}

TEST(StuckTask, BecauseOfOneOfAllThatItGathers) {
  Service service;
  const ActorIndex parent = service.Task("a", "gather");
  const ActorIndex works = service.Task("b", "event");
  const ActorIndex stands = service.Task("c", "other event");
  service.Lock("gather").rule = ReleaseRule::kAllHolders;
  for (const ActorIndex child : {works, stands}) {
    service.Ends(child, "gather");
    service.Row(child).request.clear();
  }
  service.WaitOf(parent).unmoved_since = service.WaitOf(stands).unmoved_since = kLongAgo;
  EXPECT_EQ(service.Findings(), "STUCK_TASK probable, may end, for 20.0 s | a wait | root c");
  service.WaitOf(stands).timed = true;
  EXPECT_EQ(service.Findings(), "");
}

TEST(StuckTask, WhoIsIdleOrWillBeWokenIsNot) {
  for (const char* const idle : {"StreamingResponse.stream_response", "_StreamingResponse.__call__",
                                 "RequestResponseCycle.receive", "WebSocket.receive_text"}) {
    Service service;
    service.WaitOf(service.Task("a", "event", idle)).since = kLongAgo;
    EXPECT_EQ(service.Findings(), "") << idle;
  }
  Service service;
  const ActorIndex task = service.Task("a", "event");
  service.WaitOf(task).since = kLongAgo;
  service.WaitOf(task).timed = true;
  EXPECT_EQ(service.Findings(), "");
  service.WaitOf(task).timed = false;
  service.Row(task).request.clear();  // a listener of its own
  EXPECT_EQ(service.Findings(), "");
}

TEST(StuckTask, AFutureThatNobodyCanCompleteNeedsNoAge) {
  Service service;
  const ActorIndex task = service.Task("a", "future");
  service.Row(task).request.clear();
  service.Lock("future").kind = ResourceKind::kFuture;
  service.Lock("future").abandoned = Abandoned::kUnreferenced;
  EXPECT_EQ(service.Findings(), "STUCK_TASK certain, never, for 1.0 s | a wait");
  service.WaitOf(task).continuity = Continuity::kContinued;
  EXPECT_EQ(service.Findings(), "");
}

}  // namespace
}  // namespace ct
