// Which threads become actors, what is said of their processes and memory, and what was lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/observe/raw_look.h"

namespace ct {
namespace {

using testing::ActorOf;
using testing::ActorTids;
using testing::Condition;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::kApp;
using testing::kEnd;
using testing::LookBuilder;
using testing::Mutex;
using testing::SharedMutex;

const BuildOptions kAll{.all_threads = true, .kernel_symbol = {}};

// --- actors -------------------------------------------------------------------------------------

TEST(Actors, AreAllThreadsOfASpaceWithALockWait) {
  LookBuilder look;
  for (const pid_t tid : {100, 101, 102}) look.Thread(tid);
  look.Thread(201, 200);
  look.Waits(102, Mutex(0x1000, 0));
  EXPECT_THAT(ActorTids(look.Build()), ElementsAre(100, 101, 102));
}

TEST(Actors, AreNoneWhereAllAreIdle) {
  LookBuilder look;
  look.Thread(100);
  look.Waits(100, Condition(0x1000));
  EXPECT_THAT(ActorTids(look.Build()), IsEmpty());
}

TEST(Actors, AreAllSelectedThreadsWhenAskedFor) {
  LookBuilder look;
  look.Thread(100);
  look.Thread(201, 200);
  look.Deselect(200);
  EXPECT_THAT(ActorTids(look.Build(kAll)), ElementsAre(100));
}

TEST(Actors, AreHoldersOutsideTheFilter) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(201, 200);
  look.Thread(202, 200);
  look.Deselect(200);
  look.Process(200).mapped_files = {{30, 77}};
  look.Waits(101, SharedMutex(0x1000, 201, {30, 77}, 0));
  const Observation observation = look.Build();
  EXPECT_THAT(ActorTids(observation), ElementsAre(101, 201));
  ASSERT_EQ(observation.processes.size(), 2U);
  EXPECT_TRUE(observation.processes[0].selected);
  EXPECT_FALSE(observation.processes[1].selected);
}

TEST(Actors, AreNotThoseThatHaveEnded) {
  LookBuilder look;
  look.Thread(100);
  look.Thread(101);
  look.Second(101).state = RunState::kExited;
  EXPECT_THAT(ActorTids(look.Build(kAll)), ElementsAre(100));
}

TEST(Actors, TellWhatTheSweepTells) {
  LookBuilder look;
  look.Thread(101);
  look.InNamespace(101, 8, 12);
  look.Second(101).comm = "evil\x1b[2J";
  Actor expected;
  expected.id = look.Second(101).id;
  expected.name = "evil?[2J";
  expected.process = 0;
  expected.ns_tid = 12;
  expected.state = RunState::kSleeping;
  expected.off_cpu_since = kEnd - 10 * kSecond;
  expected.switches = 50;
  expected.still = true;
  expected.syscall = {232, "epoll_wait", "", std::nullopt};
  EXPECT_THAT(look.Build(kAll).actors, ElementsAre(expected));
}

TEST(Actors, MayBeInterruptedIfTheirProcessWasNotRead) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(201, 200);
  look.Thread(301, 300);
  look.Process(200).facts->catches_signals = true;
  look.Process(300).facts.reset();
  const Observation observation = look.Build(kAll);
  EXPECT_FALSE(ActorOf(observation, 101).signal_may_interrupt);
  EXPECT_TRUE(ActorOf(observation, 201).signal_may_interrupt);
  EXPECT_TRUE(ActorOf(observation, 301).signal_may_interrupt);
}

TEST(Actors, NameNewSystemCalls) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(102);
  look.Second(101).syscall = 455;
  look.Second(102).syscall = 99'999;
  const Observation observation = look.Build(kAll);
  EXPECT_EQ(ActorOf(observation, 101).syscall.name, "futex_wait");
  EXPECT_EQ(ActorOf(observation, 102).syscall.name, "syscall 99999");
}

// --- stacks -------------------------------------------------------------------------------------

Frame At(ModuleIndex module, std::uint64_t offset) {
  Frame frame;
  frame.module = module;
  frame.module_offset = offset;
  return frame;
}

TEST(Stacks, OfThreadsThatMovedSaySo) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(102);
  for (const pid_t tid : {101, 102}) {
    look.Reading(tid).read.stack = {{At(kNoIndex, 1)}, StackEnd::kComplete};
  }
  look.Moves(102);
  const Observation observation = look.Build(kAll);
  const auto end_of = [&](pid_t tid) {
    return observation.stacks.at(static_cast<std::size_t>(ActorOf(observation, tid).user_stack))
        .end;
  };
  EXPECT_EQ(end_of(101), StackEnd::kComplete);
  EXPECT_EQ(end_of(102), StackEnd::kMoved);
}

TEST(Stacks, OfAllProcessesShareTheirModules) {
  const Module libc{"/lib/libc.so.6", "aa", false};
  const Module app{"/bin/app", "bb", false};
  LookBuilder look;
  look.Thread(101);
  look.Thread(201, 200);
  look.Process(kApp).modules = {app, libc};
  look.Process(200).modules = {libc};
  look.Reading(101).read.stack.frames = {At(1, 0x10), At(0, 0x20), At(2, 0x30)};
  look.Reading(201).read.stack.frames = {At(0, 0x40)};
  const Observation observation = look.Build(kAll);
  EXPECT_THAT(observation.modules, ElementsAre(libc, app));
  ASSERT_EQ(observation.stacks.size(), 2U);
  EXPECT_THAT(observation.stacks[0].frames,
              ElementsAre(At(0, 0x10), At(1, 0x20), At(kNoIndex, 0x30)))
      << "a module that the reading does not have is none";
  EXPECT_THAT(observation.stacks[1].frames, ElementsAre(At(0, 0x40)));
}

TEST(Stacks, OfTheKernelHaveNames) {
  LookBuilder look;
  look.Thread(101);
  look.Second(101).kernel_stack = {0xffffffff81000010, 0xffffffff81000020};
  BuildOptions options = kAll;
  options.kernel_symbol = [](std::uint64_t address) {
    return address == 0xffffffff81000010 ? "do_epoll_wait" : "";
  };
  const Observation observation = look.Build(options);
  const Actor& actor = ActorOf(observation, 101);
  EXPECT_EQ(actor.user_stack, kNoIndex);
  const Stack& stack = observation.stacks.at(static_cast<std::size_t>(actor.kernel_stack));
  ASSERT_EQ(stack.frames.size(), 2U);
  EXPECT_EQ(stack.frames[0].origin, FrameOrigin::kKernel);
  EXPECT_EQ(stack.frames[0].function, "do_epoll_wait");
  EXPECT_EQ(stack.frames[1].function, "");
}

// --- memory spaces ------------------------------------------------------------------------------

TEST(Spaces, AreObservedIfAllTheirUsersAreActors) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(102);
  EXPECT_THAT(look.Build(kAll).spaces, ElementsAre(Space{1, 2, true}));
}

TEST(Spaces, AreNotObservedIfSomebodyElseUsesThem) {
  LookBuilder look;
  look.Thread(101);
  look.ExtraUser(kApp);
  EXPECT_THAT(look.Build(kAll).spaces, ElementsAre(Space{1, 1, false}));
}

TEST(Spaces, AreNotObservedIfOneOfTheirProcessesIsNotSelected) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(201, 200);
  look.SharesMemory(201, kApp);
  look.Deselect(200);
  EXPECT_THAT(look.Build(kAll).spaces, ElementsAre(Space{1, 2, false}));
}

TEST(Spaces, AreSharedByProcessesThatShareMemory) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(201, 200);
  look.SharesMemory(201, kApp);
  look.Waits(201, Mutex(0x1000, 101));
  const Observation observation = look.Build();
  EXPECT_THAT(testing::Edges(observation),
              ElementsAre("201 waits for mutex 1:0x1000 (still, certain)",
                          "101 holds mutex 1:0x1000 (certain)"));
  EXPECT_THAT(observation.spaces, ElementsAre(Space{1, 2, true}));
}

TEST(Spaces, DoNotMixTheirLocks) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(201, 200);
  look.Waits(101, Mutex(0x1000, 0));
  look.Waits(201, Mutex(0x1000, 0));
  EXPECT_THAT(
      testing::Edges(look.Build()),
      ElementsAre("101 waits for mutex 1:0x1000 (still, certain)",
                  "201 waits for mutex 2:0x1000 (still, certain)",
                  "holders of mutex 1:0x1000 unknown", "holders of mutex 2:0x1000 unknown"));
}

TEST(Spaces, KeepTheirNumbers) {
  History history;
  LookBuilder one;
  one.Thread(201, 200);
  (void)one.Build(history, kAll);
  LookBuilder both;
  both.Thread(101);
  both.Thread(201, 200);
  const Observation observation = both.Build(history, kAll);
  ASSERT_EQ(observation.processes.size(), 2U);
  EXPECT_EQ(observation.processes[0].space, 2U);
  EXPECT_EQ(observation.processes[1].space, 1U);
}

// --- processes ----------------------------------------------------------------------------------

TEST(Processes, TellTheirFacts) {
  LookBuilder look;
  look.Thread(101);
  for (TaskSample* task : {&look.First(101), &look.Second(101)}) {
    task->leader_comm = "shop";
    task->ns_tgid = 1;
    task->pid_ns = 8;
    task->parent_pid = 42;
    task->group_threads = 3;
  }
  look.Process(kApp).facts = ProcessFacts{"/bin/shop", "/system.slice/shop.service", "c++", false};
  Process expected;
  expected.id = look.First(101).leader;
  expected.ns_pid = 1;
  expected.pid_ns = 8;
  expected.parent_pid = 42;
  expected.space = 1;
  expected.name = "shop";
  expected.executable = "/bin/shop";
  expected.cgroup = "/system.slice/shop.service";
  expected.unit = "shop.service";
  expected.language = "c++";
  expected.threads = 3;
  expected.verdict = Verdict::kIdle;
  expected.verdict_detail = "1 thread asleep, mostly in epoll_wait";
  expected.selected = true;
  EXPECT_THAT(look.Build(kAll).processes, ElementsAre(expected));
}

std::string UnitOf(const std::string& cgroup) {
  LookBuilder look;
  look.Thread(101);
  look.Process(kApp).facts->cgroup = cgroup;
  return look.Build(kAll).processes.at(0).unit;
}

TEST(Unit, IsTheInnermostServiceOrScopeOfTheCgroup) {
  EXPECT_EQ(UnitOf("/system.slice/nginx.service"), "nginx.service");
  EXPECT_EQ(UnitOf("/user.slice/user-1000.slice/user@1000.service/app.slice/mail.service/sub"),
            "mail.service");
  EXPECT_EQ(UnitOf("/kubepods.slice/cri-containerd-abc.scope/init"), "cri-containerd-abc.scope");
  EXPECT_EQ(UnitOf("/"), "");
  EXPECT_EQ(UnitOf("/user.slice"), "");
  EXPECT_EQ(UnitOf(""), "");
}

// --- what was lost ------------------------------------------------------------------------------

TEST(Losses, AreThreadsOf32Bits) {
  LookBuilder look;
  look.Thread(101);
  look.Thread(102);
  look.Thread(201, 200);
  look.Deselect(200);
  for (const pid_t tid : {101, 102, 201}) look.Second(tid).compat = true;
  EXPECT_THAT(look.Build().losses,
              ElementsAre(Loss{"32-bit threads are not read", 2, true, "process 100 (t100)"}));
}

TEST(Losses, AreThoseOfTheReader) {
  const Loss loss{"thread not readable", 1, true, "thread 101 of process 100"};
  LookBuilder look;
  look.Thread(101);
  RawLook raw = look.Look();
  raw.losses = {loss};
  History history;
  EXPECT_THAT(BuildObservation(raw, {}, 0, history).losses, ElementsAre(loss));
}

TEST(Interval, IsFromTheFirstSweepsBeginToTheSecondsEnd) {
  LookBuilder look;
  look.Thread(101);
  History history;
  const Observation observation = BuildObservation(look.Look(), {}, 77, history);
  EXPECT_EQ(observation.begin, kEnd - 4 * kMillisecond);
  EXPECT_EQ(observation.end, kEnd);
  EXPECT_EQ(observation.realtime_offset, 77);
  EXPECT_EQ(observation.cost.threads_visited, 1U);
}

}  // namespace
}  // namespace ct
