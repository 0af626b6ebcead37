// Python's tasks as actors, waits and holds, and what graph and detectors make of them.
#include "observe/python_builder.h"

#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "detect/detect.h"
#include "tests/unit/graph/observation_builder.h"

namespace ct::testing {
namespace {

constexpr pid_t kLoopThread = 42;
constexpr const char* kLock = "asyncio.locks.Lock";
constexpr const char* kSemaphore = "asyncio.locks.Semaphore";

PythonHold In(const char* type, std::uint64_t object, bool entering = false) {
  return {type, object, entering, true, 0};
}

// A process of one event loop, whose thread sleeps.
PythonProcess Loop() {
  PythonProcess process;
  process.version = 0x030b02f0;
  process.codes = {{"work", "/srv/app.py"}};
  PythonThread thread;
  thread.native_id = kLoopThread;
  thread.host_tid = 1042;
  thread.asleep = true;
  process.threads.push_back(thread);
  return process;
}

// Its address is its number times 0x1000.
PythonTask Task(const std::string& name, std::uint64_t number, std::vector<PythonHold> holds) {
  PythonTask task;
  task.address = number * 0x1000;
  task.name = name;
  task.state = PythonTaskState::kWaiting;
  task.thread = kLoopThread;
  task.frames = {
      {0, static_cast<std::uint32_t>(number), number * 0x1000 + 8, false, std::move(holds)}};
  return task;
}

PythonAwait Object(const char* type, std::uint64_t object) {
  return {PythonAwaitKind::kObject, object + 1, {}, type, object, "_waiters"};
}
PythonAwait Tasks(PythonAwaitKind kind, std::vector<std::uint64_t> children) {
  return {kind, 0xf00, std::move(children), "", 0, ""};
}

PythonTask Waits(PythonTask task, PythonAwait wait) {
  task.waits_for = std::move(wait);
  return task;
}

Observation BuildAsItIs(const PythonLook& look) {
  Observation observation;
  observation.begin = kNow - kSecond;
  observation.end = kNow;
  Process process;
  process.id.tid = 1000;
  process.space = 7;
  observation.processes.push_back(process);
  PythonPlace place;
  place.process = 0;
  place.thread = [](const PythonThread& thread) {
    return PythonThreadInfo{{thread.host_tid, 5}, kNow - 10 * kSecond};
  };
  AddPython(look, place, observation);
  return observation;
}

// Without what both looks show the same it says the same.
Observation Build(const PythonLook& look) {
  const Observation whole = BuildAsItIs(look);
  PythonLook folded = look;
  Fold(folded);
  Observation observation = BuildAsItIs(folded);
  EXPECT_EQ(observation.actors, whole.actors);
  EXPECT_EQ(observation.resources, whole.resources);
  EXPECT_EQ(observation.waits, whole.waits);
  EXPECT_EQ(observation.holds, whole.holds);
  EXPECT_EQ(observation.uses, whole.uses);
  EXPECT_EQ(observation.losses, whole.losses);
  return observation;
}

PythonLook Twice(std::vector<PythonTask> tasks) {
  PythonLook look;
  look.second = Loop();
  look.second.tasks = std::move(tasks);
  look.first = look.second;
  look.begin = kNow - kMillisecond;
  look.end = kNow;
  return look;
}

std::string Findings(const PythonLook& look) {
  const Observation observation = Build(look);
  return Summary(Detect(observation, {}), observation);
}

std::vector<PythonTask> TwoLocks() {
  return {Waits(Task("a", 1, {In(kLock, 0x11)}), Object(kLock, 0x22)),
          Waits(Task("b", 2, {In(kLock, 0x22)}), Object(kLock, 0x11))};
}

TEST(PythonBuilder, MakesActorsOfTasksThatAreNotOver) {
  PythonTask over = Task("over", 3, {});
  over.state = PythonTaskState::kFinished;
  PythonTask ready = Task("ready", 4, {});
  ready.state = PythonTaskState::kRunnable;
  const Observation observation =
      Build(Twice({Waits(Task("a", 1, {}), Object("asyncio.locks.Event", 0x11)), over, ready}));
  ASSERT_EQ(observation.actors.size(), 2U);
  const Actor& actor = observation.actors[0];
  EXPECT_EQ(actor.kind, ActorKind::kTask);
  EXPECT_EQ(actor.name, "a");
  EXPECT_EQ(actor.id, (ThreadId{1042, 5}));
  EXPECT_EQ(actor.ns_tid, kLoopThread);
  EXPECT_EQ(actor.task, 0x1000U);
  EXPECT_EQ(actor.state, RunState::kSleeping);
  EXPECT_TRUE(actor.still);
  EXPECT_EQ(observation.actors[1].state, RunState::kRunnable);
  const Frame& frame = observation.stacks.at(0).frames.at(0);
  EXPECT_EQ(frame.origin, FrameOrigin::kPython);
  EXPECT_EQ(frame.function, "work");
  EXPECT_EQ(frame.file, "/srv/app.py");
  EXPECT_EQ(frame.line, 1U);
  ASSERT_EQ(observation.waits.size(), 1U);
  const Wait& wait = observation.waits[0];
  EXPECT_EQ(wait.purpose, WaitPurpose::kEvent);
  EXPECT_EQ(wait.evidence, Evidence::kCertain);
  EXPECT_EQ(wait.continuity, Continuity::kStill);
  EXPECT_EQ(wait.since, kNow - 10 * kSecond);
  EXPECT_EQ(observation.resources[0].type, "asyncio.Event");
  EXPECT_FALSE(observation.resources[0].holders_known);
}

TEST(PythonBuilder, SharesEqualStacks) {
  PythonTask other = Task("b", 1, {});
  other.address = 0x9000;
  EXPECT_EQ(Build(Twice({Task("a", 1, {}), other})).stacks.size(), 1U);
}

TEST(PythonBuilder, SaysWhichVersionsNoTestRunsOn) {
  PythonLook look = Twice({});
  EXPECT_TRUE(Build(look).degradations.empty());
  look.second.version = 0x030c01f0;
  EXPECT_EQ(Build(look).degradations,
            std::vector<std::string>{"Python 3.12 is untested: 3.11, 3.13 and 3.14 are"});
}

TEST(PythonBuilder, WhatDidTheSameInBothLooksIsKeptOnce) {
  PythonLook look = Twice(TwoLocks());
  look.second.tasks.back().frames[0].line = 77;
  ASSERT_GT(look.first.tasks.size(), 1U);
  Fold(look);
  ASSERT_EQ(look.first.tasks.size(), 1U) << "the one that has moved";
  EXPECT_EQ(look.first.tasks[0].address, look.second.tasks.back().address);
  EXPECT_FALSE(look.unmoved.contains(look.first.tasks[0].address));
  EXPECT_TRUE(look.unmoved.contains(look.second.tasks[0].address));
}

TEST(PythonBuilder, TwoLocksInOppositeOrderAreADeadlock) {
  EXPECT_EQ(Findings(Twice(TwoLocks())), "DEADLOCK certain, never, for 10.0 s | a> b>");
}

constexpr std::uint64_t kPool = 0x77;

PythonTask WaitsForUnit(PythonTask task) {
  task.waits_for = Object("asyncio.queues.LifoQueue", 0x78);
  task.waits_for.pool = kPool;
  return task;
}

PythonUnit UnitOf(std::uint64_t object, std::vector<std::uint64_t> tasks, bool in_block = false) {
  PythonUnit unit;
  unit.object = object;
  for (const std::uint64_t task : tasks) unit.holders.push_back({task * 0x1000, 0, 0, 1, false});
  if (!unit.holders.empty()) unit.holders.front().in_block = in_block;
  return unit;
}

PythonLook WithPool(std::vector<PythonTask> tasks, std::vector<PythonUnit> units) {
  PythonLook look = Twice(std::move(tasks));
  const auto in_use = static_cast<std::uint32_t>(units.size());
  look.second.pools = {{kPool, "asyncpg.pool.Pool", 2, 0, in_use, std::move(units), true}};
  look.first.pools = look.second.pools;
  return look;
}

std::vector<PythonTask> TwoHolders() {
  return {WaitsForUnit(Task("a", 1, {})), WaitsForUnit(Task("b", 2, {}))};
}

TEST(PythonBuilder, HoldersOfAPoolThatWaitForItAreADeadlock) {
  const PythonLook look = WithPool(TwoHolders(), {UnitOf(0x81, {1}), UnitOf(0x82, {2})});
  EXPECT_EQ(Findings(look), "DEADLOCK certain, never, for 10.0 s | a> | with b");
  const Observation observation = Build(look);
  EXPECT_EQ(observation.resources[0].type, "asyncpg pool");
  EXPECT_EQ(observation.resources[0].capacity, 2U);
  EXPECT_EQ(observation.resources[0].in_use, 2U);
}

TEST(PythonBuilder, AUnitThatSeveralReferToIsProbablyOfTheNearest) {
  EXPECT_EQ(Findings(WithPool(TwoHolders(), {UnitOf(0x81, {1, 2}), UnitOf(0x82, {2})})),
            "PROBABLE_DEADLOCK probable, never, for 10.0 s | a> | with b");
  // Unless one of them is in a with block of it.
  EXPECT_EQ(Findings(WithPool(TwoHolders(), {UnitOf(0x81, {1, 2}, true), UnitOf(0x82, {2})})),
            "DEADLOCK certain, never, for 10.0 s | a> | with b");
}

TEST(PythonBuilder, APoolThatMovesOrHasUnitsLeftAccusesNobody) {
  PythonLook moves = WithPool(TwoHolders(), {UnitOf(0x81, {1}), UnitOf(0x82, {2})});
  moves.first.pools[0].units[0].object = 0x83;
  EXPECT_EQ(Findings(moves).find("DEADLOCK"), std::string::npos);
  EXPECT_EQ(Findings(WithPool(TwoHolders(), {UnitOf(0x81, {1})})).find("DEADLOCK"),
            std::string::npos);
}

TEST(PythonBuilder, WhoTookFromAPoolThatKeepsNoAccountIsProbable) {
  PythonLook look = WithPool(TwoHolders(), {UnitOf(0x81, {1}), UnitOf(0x82, {2})});
  const auto with = [&look](bool complete, std::uint32_t idle) {
    for (PythonProcess* process : {&look.first, &look.second}) {
      PythonPool& pool = process->pools[0];
      pool.capacity.reset();
      pool.inferred = true;
      pool.complete = complete;
      pool.idle = idle;
    }
    return Findings(look);
  };
  EXPECT_EQ(with(true, 0), "PROBABLE_DEADLOCK probable, never, for 10.0 s | a> | with b");
  // Others may have one, or one is left.
  EXPECT_EQ(with(false, 0).find("DEADLOCK"), std::string::npos);
  EXPECT_EQ(with(true, 1).find("DEADLOCK"), std::string::npos);
}

TEST(PythonPoolAges, CountWhileNothingMoves) {
  PythonLook look = WithPool(TwoHolders(), {UnitOf(0x81, {1}), UnitOf(0x82, {2})});
  PythonPoolAges ages;
  const auto after = [&](int looks) {
    for (int i = 0; i < looks; ++i) {
      look.begin += kSecond;
      look.end += kSecond;
      ages.Update(look);
    }
    return ages.WaitsSince(look.second.tasks[0]);
  };
  const TimeNs begin = look.begin + kSecond;
  EXPECT_EQ(after(3), std::nullopt);
  EXPECT_EQ(after(3), begin);
  // A unit has changed hands.
  for (PythonProcess* process : {&look.first, &look.second}) {
    process->pools[0].units[0].holders[0].task = 0x3000;
  }
  EXPECT_EQ(after(1), std::nullopt);
  const TimeNs changed = look.begin;
  EXPECT_EQ(after(4), changed);
  // It asks again.
  look.second.tasks[0].waits_for.future += 0x100;
  EXPECT_EQ(after(1), look.begin);
  look.first.pools.clear();
  EXPECT_EQ(after(6), std::nullopt);
}

// wait_for() of 3.11 makes a task of what it waits for: for the reader they are one.
TEST(PythonBuilder, WhatWaitForRunsIsItsCaller) {
  PythonTask caller = Waits(Task("caller", 1, {}), Tasks(PythonAwaitKind::kOne, {0x2000}));
  caller.frames.front().code = 1;
  caller.deadline = 12;
  PythonLook look = WithPool({caller, WaitsForUnit(Task("Task-2", 2, {}))}, {});
  for (PythonProcess* process : {&look.first, &look.second}) {
    process->codes.push_back({"wait_for", "/usr/lib/python3.11/asyncio/tasks.py"});
  }
  const Observation observation = Build(look);
  ASSERT_EQ(observation.actors.size(), 1U);
  EXPECT_EQ(observation.actors[0].name, "caller");
  EXPECT_TRUE(observation.actors[0].still);
  const auto& frames =
      observation.stacks[static_cast<std::size_t>(observation.actors[0].user_stack)].frames;
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[1].function, "wait_for");
  ASSERT_EQ(observation.waits.size(), 1U);
  EXPECT_TRUE(observation.waits[0].timed);
  const auto pool = static_cast<std::size_t>(observation.waits[0].resource);
  EXPECT_EQ(observation.resources[pool].kind, ResourceKind::kPool);
}

TEST(PythonBuilder, LooksThatDifferProveNothing) {
  PythonLook look = Twice(TwoLocks());
  for (PythonTask& task : look.first.tasks) task.frames[0].line += 1;
  EXPECT_EQ(Findings(look), "");
  look = Twice(TwoLocks());
  look.first.tasks.clear();
  EXPECT_EQ(Findings(look), "");
}

TEST(PythonBuilder, ALoopThatRanMeanwhileProvesNothing) {
  PythonLook look = Twice(TwoLocks());
  look.first.threads[0].asleep = false;
  EXPECT_EQ(Findings(look), "");
  EXPECT_TRUE(IsRestless(look));
  EXPECT_FALSE(IsRestless(Twice(TwoLocks())));
  EXPECT_EQ(Build(look).waits[0].continuity, Continuity::kContinued);
}

// A slow host looked for three seconds at a queue that moved: tasks are made anew where others
// were.
TEST(PythonBuilder, AWaitIsNotOldWhereItsLoopRanMeanwhile) {
  PythonLook look = Twice({Waits(Task("a", 1, {}), Object(kSemaphore, 0x11))});
  look.begin = kNow - 3 * kSecond;
  EXPECT_EQ(Findings(look), "LONG_WAIT certain, may end, for 10.0 s | a wait | a>");
  look.second.threads[0].switches = 1;
  EXPECT_EQ(Findings(look), "");
  EXPECT_EQ(Build(look).waits.at(0).continuity, Continuity::kStill);
  look.first.tasks[0].name = "another";
  EXPECT_EQ(Build(look).waits.at(0).continuity, Continuity::kSeenOnce);
}

TEST(PythonBuilder, AStartThatOnlyOneLookShowsMayHaveBeenReadWhileItChanged) {
  PythonTask task = Waits(Task("a", 1, {}), Object(kSemaphore, 0x11));
  task.not_before = 1e6 - 60;
  task.began_then = true;
  PythonLook look = Twice({task});
  look.second.threads[0].switches = 1;
  EXPECT_EQ(Build(look).waits.at(0).since, kNow - 60 * kSecond);
  look.first.tasks[0].frames[0].line += 1;
  EXPECT_EQ(Build(look).waits.at(0).since, kNow);
  EXPECT_FALSE(Build(look).waits.at(0).not_before);
}

TEST(PythonBuilder, ALockThatIsEnteredIsNotHeld) {
  auto tasks = TwoLocks();
  tasks[0].frames[0].holds = {In(kLock, 0x11, true)};
  EXPECT_EQ(Findings(Twice(tasks)), "LONG_WAIT certain, may end, for 10.0 s | a b wait | a> b>");
}

TEST(PythonBuilder, ASemaphoreMayHaveUnitsThatAreNotSeen) {
  EXPECT_EQ(
      Findings(Twice({Waits(Task("a", 1, {In(kSemaphore, 0x11)}), Object(kSemaphore, 0x11))})),
      "PROBABLE_DEADLOCK probable, never, for 10.0 s | a>");
}

TEST(PythonBuilder, AParentNeedsAllOfItsChildren) {
  PythonTask sleeper =
      Waits(Task("sleeper", 3, {}), {PythonAwaitKind::kSleep, 0x77, {}, "", 0, ""});
  sleeper.deadline = 1e6;
  EXPECT_EQ(Findings(Twice({Waits(Task("parent", 1, {In(kLock, 0x11)}),
                                  Tasks(PythonAwaitKind::kAll, {0x2000, 0x3000})),
                            Waits(Task("child", 2, {}), Object(kLock, 0x11)), sleeper})),
            "DEADLOCK certain, never, for 10.0 s | parent> child>");
}

TEST(PythonBuilder, AnyChildIsEnoughWhereOneWillDo) {
  const auto parent =
      Waits(Task("parent", 1, {In(kLock, 0x11)}), Tasks(PythonAwaitKind::kAny, {0x2000, 0x3000}));
  const auto child = Waits(Task("child", 2, {}), Object(kLock, 0x11));
  PythonTask other = Waits(Task("other", 3, {}), {PythonAwaitKind::kSleep, 0x77, {}, "", 0, ""});
  EXPECT_EQ(Findings(Twice({parent, child, other})).find("DEADLOCK"), std::string::npos);
  // A future that is no task may be completed by anybody.
  EXPECT_EQ(Findings(Twice({parent, child})).find("DEADLOCK"), std::string::npos);
}

TEST(PythonBuilder, ATimeoutOfTheParentEndsTheWaitOfTheChild) {
  PythonTask parent =
      Waits(Task("parent", 1, {In(kLock, 0x11)}), Tasks(PythonAwaitKind::kOne, {0x2000}));
  parent.deadline = 1e6 + 60;
  const auto child = Waits(Task("child", 2, {}), Object(kLock, 0x11));
  const Observation observation = Build(Twice({parent, child}));
  EXPECT_EQ(observation.waits.at(1).deadline, kNow + 60 * kSecond);
  EXPECT_EQ(Summary(Detect(observation, {}), observation).substr(0, 26),
            "DEADLOCK certain, timeout ");
}

TEST(PythonBuilder, TimesThatAreNoneAreLeftOut) {
  PythonTask task = Waits(Task("a", 1, {}), Object(kLock, 0x11));
  for (const double deadline : {1e300, -1e300, std::numeric_limits<double>::quiet_NaN()}) {
    task.deadline = deadline;
    const Observation observation = Build(Twice({task}));
    EXPECT_TRUE(observation.waits.at(0).timed);
    EXPECT_FALSE(observation.waits.at(0).deadline);
  }
}

TEST(PythonBuilder, WhatBothLooksMissedIsALoss) {
  PythonLook look = Twice({});
  look.first.skips = {{"frame not readable", 3}, {"task not readable", 1}};
  look.second.skips = {{"frame not readable", 2}};
  const auto losses = Build(look).losses;
  ASSERT_EQ(losses.size(), 1U);
  EXPECT_EQ(losses[0].reason, "of Python: frame not readable");
  EXPECT_EQ(losses[0].count, 2U);
  EXPECT_TRUE(losses[0].relevant);
  // Objects come and go while a loop runs.
  look.second.threads[0].running_loop = 0x99;
  look.second.threads[0].asleep = false;
  EXPECT_FALSE(Build(look).losses.at(0).relevant);
}

}  // namespace
}  // namespace ct::testing
