// Tasks as a table and as a tree: equal ones once, and nothing that a target does makes it long.
#include "render/tasks_text.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/unit/graph/observation_builder.h"

namespace ct {
namespace {

using testing::kNow;
using testing::ObservationBuilder;

class Tasks {
 public:
  Tasks() { builder_.Process("shop"); }

  ActorIndex Add(const std::string& name, const std::string& function, std::uint32_t line) {
    Stack stack;
    Frame inner;
    inner.origin = FrameOrigin::kPython;
    inner.function = "Lock.acquire";
    inner.file = "/usr/lib/python3.11/asyncio/locks.py";
    inner.line = 120;
    Frame own = inner;
    own.function = function;
    own.file = "/srv/shop/app.py";
    own.line = line;
    stack.frames = {inner, own};
    stack.end = StackEnd::kComplete;
    auto& stacks = builder_.observation.stacks;
    StackIndex index = 0;
    while (index < static_cast<StackIndex>(stacks.size()) &&
           stacks[static_cast<std::size_t>(index)] != stack) {
      ++index;
    }
    if (index == static_cast<StackIndex>(stacks.size())) stacks.push_back(stack);
    const auto task = static_cast<ActorIndex>(builder_.observation.actors.size());
    Actor actor;
    actor.kind = ActorKind::kTask;
    actor.name = name;
    actor.process = 0;
    actor.state = RunState::kSleeping;
    actor.still = true;
    actor.user_stack = index;
    builder_.observation.actors.push_back(actor);
    return task;
  }

  ResourceIndex Resource(ResourceKind kind, const std::string& type) {
    ct::Resource resource;
    resource.kind = kind;
    resource.type = type;
    resource.id.address = 0x1000 + builder_.observation.resources.size();
    builder_.observation.resources.push_back(resource);
    return static_cast<ResourceIndex>(builder_.observation.resources.size() - 1);
  }

  Wait& Waits(ActorIndex task, ResourceIndex resource, WaitPurpose purpose) {
    Wait wait;
    wait.actor = task;
    wait.resource = resource;
    wait.purpose = purpose;
    wait.evidence = Evidence::kCertain;
    wait.since = kNow;
    return builder_.observation.waits.emplace_back(wait);
  }
  void Holds(ActorIndex task, ResourceIndex resource) {
    Hold hold;
    hold.actor = task;
    hold.resource = resource;
    hold.evidence = Evidence::kCertain;
    hold.acquired_at = builder_.observation.actors[static_cast<std::size_t>(task)].user_stack;
    builder_.observation.holds.push_back(hold);
  }

  // `parent` waits for the ends of all of `children`.
  void Gathers(ActorIndex parent, const std::vector<ActorIndex>& children) {
    const ResourceIndex ends = Resource(ResourceKind::kFuture, "asyncio.gather");
    Waits(parent, ends, WaitPurpose::kJoin);
    for (const ActorIndex child : children) Holds(child, ends);
  }

  std::string Text(const TasksOptions& options = {}, bool full = false) {
    builder_.observation.end = kNow;
    RenderOptions render;
    render.full = full;
    return RenderTasks(builder_.observation, {}, options, render);
  }

  Observation& observation() { return builder_.observation; }

 private:
  ObservationBuilder builder_;
};

Tasks Shop() {
  Tasks shop;
  const ResourceIndex lock = shop.Resource(ResourceKind::kMutex, "asyncio.Lock");
  const ResourceIndex sleep = shop.Resource(ResourceKind::kEventLoop, "asyncio.sleep");
  const ActorIndex main = shop.Add("main", "main", 9);
  const ActorIndex holder = shop.Add("holder", "refresh", 17);
  shop.Holds(holder, lock);
  Wait& wait = shop.Waits(holder, sleep, WaitPurpose::kEvent);
  wait.timed = true;
  wait.deadline = kNow + 5 * kSecond;
  std::vector<ActorIndex> children = {holder};
  for (int i = 0; i < 5; ++i) {
    children.push_back(shop.Add("Task-" + std::to_string(i), "list_orders", 41));
    shop.Waits(children.back(), lock, WaitPurpose::kAcquire);
  }
  shop.Gathers(main, children);
  const ActorIndex busy = shop.Add("busy", "spin", 3);
  shop.observation().actors[static_cast<std::size_t>(busy)].state = RunState::kRunning;
  shop.observation().actors[static_cast<std::size_t>(busy)].still = false;
  return shop;
}

TEST(TasksText, TableHasEqualTasksOnceAndLocksFirst) {
  EXPECT_EQ(Shop().Text(),
            "TASKS  8 tasks of shop, pid 1000; 5 wait for a lock; 1 moving: not the same in both "
            "looks\n\n"
            "  5 tasks Task-0, Task-1, Task-2, ...  waits for asyncio.Lock L1            "
            "list_orders  app.py:41\n"
            "  task holder                          asyncio.sleep                        "
            "refresh      app.py:17  ends in 5.0 s\n"
            "                                       holds asyncio.Lock L1                "
            "refresh      app.py:17\n"
            "  task main                            waits for asyncio.gather of 6 tasks  "
            "main         app.py:9\n"
            "  task busy                            runs                                 "
            "spin         app.py:3   moving\n\n"
            "  L1 asyncio.Lock 0x1000, held by task holder, 5 wait for it\n");
}

TEST(TasksText, TreeHasChildrenBelowTheirParents) {
  EXPECT_EQ(Shop().Text({.tree = true, .match = {}}),
            "TASKS  8 tasks of shop, pid 1000; 5 wait for a lock; 1 moving: not the same in both "
            "looks\n"
            "\n"
            "  task main  waits for asyncio.gather of 6 tasks  main  app.py:9\n"
            "    task holder  asyncio.sleep  refresh  app.py:17  ends in 5.0 s\n"
            "        holds asyncio.Lock L1  refresh  app.py:17\n"
            "    5 tasks Task-0, Task-1, Task-2, ...  waits for asyncio.Lock L1  list_orders  "
            "app.py:41\n"
            "  task busy  runs  spin  app.py:3  moving\n"
            "\n"
            "  L1 asyncio.Lock 0x1000, held by task holder, 5 wait for it\n");
}

TEST(TasksText, MatchesNamesAndStacks) {
  const auto contains = [](const char* word) {
    return [word](const std::string& text) { return text.find(word) != std::string::npos; };
  };
  EXPECT_NE(Shop().Text({.tree = false, .match = contains("Task-3")}).find("; 1 shown"),
            std::string::npos);
  const std::string by_place = Shop().Text({.tree = true, .match = contains("app.py:41")});
  EXPECT_NE(by_place.find("; 5 shown"), std::string::npos) << by_place;
  EXPECT_EQ(by_place.find("task main"), std::string::npos);
  EXPECT_NE(Shop().Text({.tree = false, .match = contains("nothing")}).find("; 0 shown"),
            std::string::npos);
}

TEST(TasksText, TasksThatAwaitEachOtherEnd) {
  Tasks circle;
  const ActorIndex a = circle.Add("a", "f", 1);
  const ActorIndex b = circle.Add("b", "g", 2);
  circle.Gathers(a, {b});
  circle.Gathers(b, {a});
  EXPECT_EQ(circle.Text({.tree = true, .match = {}}),
            "TASKS  2 tasks of shop, pid 1000\n"
            "\n"
            "  task a  waits for asyncio.gather of 1 task  f  app.py:1\n"
            "    task b  waits for asyncio.gather of 1 task  g  app.py:2\n"
            "      task a  waits for asyncio.gather of 1 task  f  app.py:1\n"
            "          (awaits the same as above)\n");
}

// Every task of a level awaits all of the next: two to the power of the depth, if it were followed.
TEST(TasksText, ATreeOfManyPathsIsAsLongAsItsTasks) {
  Tasks net;
  std::vector<ActorIndex> level = {net.Add("root", "f", 1)};
  for (std::uint32_t depth = 2; depth < 200; ++depth) {
    const std::vector<ActorIndex> next = {net.Add("left", "f", depth),
                                          net.Add("right", "g", depth)};
    for (const ActorIndex task : level) net.Gathers(task, next);
    level = next;
  }
  EXPECT_LT(net.Text({.tree = true, .match = {}}, true).size(), 200'000U);
}

TEST(TasksText, ManyKindsOfTasksAreCutUnlessFull) {
  Tasks many;
  for (std::uint32_t i = 1; i <= 100; ++i) many.Add("t" + std::to_string(i), "f", i);
  EXPECT_NE(many.Text().find("  and 40 more tasks at 40 more places, shown with --full\n"),
            std::string::npos);
  EXPECT_NE(many.Text({}, true).find("app.py:100"), std::string::npos);
  EXPECT_EQ(many.Text({}, true).find("--full"), std::string::npos);
}

TEST(TasksText, NamesAreOfTheTarget) {
  Tasks hostile;
  hostile.Add("\x1b[2J\n", "f\r", 1);
  const std::string text = hostile.Text();
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\r'), std::string::npos);
}

// The stack that made a task: of asyncio's own frames nothing is said, and tasks that were made
// elsewhere are not one.
TEST(TasksText, SaysWhereATaskWasMade) {
  Tasks shop;
  const auto frame = [](const char* function, const char* file, std::uint32_t line) {
    Frame made;
    made.origin = FrameOrigin::kPython;
    made.function = function;
    made.file = file;
    made.line = line;
    return made;
  };
  for (const std::uint32_t line : {31U, 32U}) {
    Stack stack;
    stack.frames = {frame("create_task", "/usr/lib/python3.11/asyncio/tasks.py", 374),
                    frame("submit", "/srv/shop/app.py", line),
                    frame("handle", "/srv/shop/app.py", 12),
                    frame("Router.route", "/srv/shop/routes.py", 5),
                    frame("main", "/srv/shop/app.py", 90),
                    frame("Handle._run", "/usr/lib/python3.11/asyncio/events.py", 80),
                    frame("run", "/usr/lib/python3.11/asyncio/runners.py", 190),
                    frame("<module>", "/srv/shop/app.py", 99)};
    shop.observation().stacks.push_back(stack);
    const auto made_at = static_cast<StackIndex>(shop.observation().stacks.size() - 1);
    const ActorIndex task = shop.Add("job-" + std::to_string(line), "work", 50);
    shop.observation().actors[static_cast<std::size_t>(task)].created_at = made_at;
  }
  const std::string tree = shop.Text({true, {}});
  EXPECT_NE(tree.find("  task job-31  not known  work  app.py:50\n"
                      "      created in submit  app.py:31 < handle  app.py:12 < Router.route  "
                      "routes.py:5\n"),
            std::string::npos)
      << tree;
  EXPECT_NE(tree.find("created in submit  app.py:32 < handle"), std::string::npos) << tree;
  const std::string table = shop.Text();
  EXPECT_NE(table.find("created in submit  app.py:31 < handle  app.py:12 < Router.route  "
                       "routes.py:5\n"),
            std::string::npos)
      << table;
  EXPECT_NE(shop.Text({true, {}}, true).find("routes.py:5 < main  app.py:90\n"), std::string::npos);
}

TEST(TasksText, TheFirstTaskWasMadeAroundTheLoop) {
  Tasks shop;
  Stack stack;
  for (const auto& [function, file] :
       {std::pair("Runner.run", "/usr/lib/python3.11/asyncio/runners.py"),
        std::pair("<module>", "/srv/shop/app.py")}) {
    Frame& frame = stack.frames.emplace_back();
    frame.origin = FrameOrigin::kPython;
    frame.function = function;
    frame.file = file;
    frame.line = 99;
  }
  shop.observation().stacks.push_back(stack);
  const ActorIndex task = shop.Add("Task-1", "main", 50);
  shop.observation().actors[static_cast<std::size_t>(task)].created_at = 0;
  EXPECT_NE(shop.Text().find("created in <module>  app.py:99\n"), std::string::npos) << shop.Text();
}

}  // namespace
}  // namespace ct
