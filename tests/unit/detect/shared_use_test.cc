#include <string>

#include <gtest/gtest.h>

#include "tests/unit/detect/findings.h"

namespace ct {
namespace {

// The actors named use L, each as `use` says; tasks of one thread unless another is given.
std::string Found(const std::string& text, const std::vector<std::string>& users, Use use,
                  const std::vector<pid_t>& threads = {}) {
  testing::ObservationBuilder builder;
  builder.observation = testing::Observe(text);
  for (std::size_t i = 0; i < users.size(); ++i) {
    for (std::size_t actor = 0; actor < builder.observation.actors.size(); ++actor) {
      if (builder.observation.actors[actor].name != users[i]) continue;
      use.actor = static_cast<ActorIndex>(actor);
      builder.observation.actors[actor].id.tid = i < threads.size() ? threads[i] : 7;
    }
    use.resource = 0;
    builder.observation.uses.push_back(use);
  }
  return testing::Summary(Detect(builder.observation, {}), builder.observation);
}

Use Inside() {
  Use use;
  use.evidence = Evidence::kCertain;
  return use;
}

Use Stored(const std::string& attribute) {
  Use use = Inside();
  use.kind = UseKind::kThreadLocal;
  use.attribute = attribute;
  return use;
}

const std::string kTwo = "lock L: condition\na: task, waits L event\nb: task, waits L event\n";

TEST(SharedUse, TwoInsideOneObject) {
  const std::string text = Found(kTwo, {"a", "b"}, Inside());
  EXPECT_EQ(text.substr(0, text.find(',')), "SHARED_OBJECT certain");
  EXPECT_NE(text.find("a b"), std::string::npos) << text;
}

TEST(SharedUse, IsProbableWhereOneLookAloneShowedIt) {
  Use use = Inside();
  use.evidence = Evidence::kProbable;
  EXPECT_EQ(Found(kTwo, {"a", "b"}, use).substr(0, 22), "SHARED_OBJECT probable");
}

TEST(SharedUse, OneInsideItTwiceIsOne) { EXPECT_EQ(Found(kTwo, {"a", "a"}, Inside()), ""); }

TEST(SharedUse, NotWhoWaitsForTheOtherOneToEnd) {
  EXPECT_EQ(
      Found("lock L: condition\na: task, waits M 300ms\nb: task, holds M\n", {"a", "b"}, Inside()),
      "");
}

// Both are inside Session.execute(); one waits for a lock that the other has taken further inside.
std::string FoundWithLockTakenIn(const std::string& file) {
  testing::ObservationBuilder builder;
  builder.observation =
      testing::Observe("lock L: condition\na: task, waits M 300ms\nb: task, holds M\n");
  Observation& observation = builder.observation;
  const auto frame = [](const std::string& function, const std::string& in) {
    Frame made;
    made.function = function;
    made.file = in;
    return made;
  };
  Stack inside, taken;
  inside.frames = {frame("Session.execute", "session.py"), frame("load", "app.py")};
  taken.frames = inside.frames;
  taken.frames.insert(taken.frames.begin(), frame("prepare", file));
  const auto at = static_cast<StackIndex>(observation.stacks.size());
  observation.stacks.push_back(inside);
  observation.stacks.push_back(taken);
  observation.holds.front().acquired_at = at + 1;
  for (std::size_t actor = 0; actor < observation.actors.size(); ++actor) {
    Use use = Inside();
    use.actor = static_cast<ActorIndex>(actor);
    use.resource = 0;
    use.at = at;
    observation.uses.push_back(use);
  }
  const std::string text = testing::Summary(Detect(observation, {}), observation);
  return text.substr(0, text.find(','));
}

TEST(SharedUse, ALockBelowTheObjectKeepsNobodyApart) {
  EXPECT_EQ(FoundWithLockTakenIn("driver.py"), "SHARED_OBJECT certain");
  EXPECT_EQ(FoundWithLockTakenIn("session.py"), "") << "the object's own lock";
}

TEST(SharedUse, AThreadLocalOfTasksOfOneThreadIsProbable) {
  EXPECT_EQ(Found(kTwo, {"a", "b"}, Stored("user")).substr(0, 30),
            "THREAD_LOCAL_IN_TASKS probable");
  EXPECT_EQ(Found(kTwo, {"a", "b"}, Stored("user"), {7, 8}), "") << "each thread has its own";
}

}  // namespace
}  // namespace ct
