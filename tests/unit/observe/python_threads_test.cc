// Python's threads as actors, waits and holds, and what graph and detectors make of them.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "detect/detect.h"
#include "observe/python_builder.h"
#include "observe/python_stack.h"
#include "tests/unit/graph/observation_builder.h"

namespace ct::testing {
namespace {

constexpr const char* kLock = "_thread.lock";
constexpr const char* kRLock = "_thread.RLock";

// Its ident is 0x100 times its number.
PythonThread Thread(const std::string& name, pid_t number, std::vector<PythonHold> holds = {}) {
  PythonThread thread;
  thread.native_id = number;
  thread.host_tid = 1000 + number;
  thread.ident = static_cast<std::uint64_t>(number) * 0x100;
  thread.name = name;
  thread.asleep = true;
  thread.frames = {{0, static_cast<std::uint32_t>(number), 0x9000, true, std::move(holds)}};
  return thread;
}
PythonHold In(const char* type, std::uint64_t object) { return {type, object, false, false, 0}; }
PythonThread Wants(PythonThread thread, const char* type, std::uint64_t object) {
  thread.waits_for = {PythonAwaitKind::kObject, object, {}, type, object, ""};
  return thread;
}
PythonThread Awaits(PythonThread thread, PythonAwaitKind kind,
                    std::vector<std::uint64_t> children) {
  thread.waits_for = {kind, 0xf0, std::move(children), "", 0, ""};
  return thread;
}

// The interpreter lists the youngest first.
PythonLook Twice(const std::vector<PythonThread>& threads) {
  PythonLook look;
  look.second.version = 0x030b02f0;
  look.second.codes = {{"work", "/srv/app.py"}};
  look.second.threads.assign(threads.rbegin(), threads.rend());
  look.first = look.second;
  look.begin = kNow - kMillisecond;
  look.end = kNow;
  return look;
}
PythonLook With(PythonLook look, std::vector<PythonLock> locks,
                std::vector<PythonCompletion> completions = {}) {
  for (PythonProcess* process : {&look.first, &look.second}) {
    process->locks = locks;
    process->completions = completions;
  }
  return look;
}

void Add(const PythonLook& look, bool known, Observation& observation) {
  PythonPlace place;
  place.process = 0;
  place.threads_are_known = known;
  place.thread = [](const PythonThread& thread) {
    return PythonThreadInfo{{thread.host_tid, 5}, kNow - 10 * kSecond};
  };
  AddPython(look, place, observation);
}

Observation Build(const PythonLook& look) {
  Observation observation;
  observation.begin = kNow - kSecond;
  observation.end = kNow;
  Process process;
  process.id.tid = 1000;
  process.space = 7;
  observation.processes.push_back(process);
  Add(look, false, observation);
  return observation;
}
std::string Findings(const PythonLook& look) {
  const Observation observation = Build(look);
  return Summary(Detect(observation, {}), observation);
}

std::vector<PythonThread> TwoLocks() {
  return {Wants(Thread("a", 1, {In(kLock, 0x11)}), kLock, 0x22),
          Wants(Thread("b", 2, {In(kLock, 0x22)}), kLock, 0x11)};
}

TEST(PythonThreads, TwoLocksInOppositeOrderAreADeadlock) {
  EXPECT_EQ(Findings(Twice(TwoLocks())), "DEADLOCK certain, never, for 10.0 s | a> b>");
}

TEST(PythonThreads, OfThoseWhoRanAllMustHaveStayedWhereTheyAre) {
  PythonLook look = Twice(TwoLocks());
  look.second.threads[0].switches = 1;  // a signal: b proves that it came back to the same wait
  EXPECT_NE(Findings(look).find("DEADLOCK certain"), std::string::npos);
  look.second.threads[1].switches = 1;
  EXPECT_EQ(Findings(look).find("DEADLOCK"), std::string::npos);
  EXPECT_TRUE(IsRestless(look));
  look = Twice(TwoLocks());
  look.second.threads[0].frames[0].line = 9;
  EXPECT_EQ(Findings(look).find("DEADLOCK"), std::string::npos);
}

TEST(PythonThreads, ALockNamesItsOwner) {
  const auto threads = {Wants(Thread("a", 1, {In(kRLock, 0x11)}), kRLock, 0x22),
                        Wants(Thread("b", 2), kRLock, 0x11)};
  const PythonLook look =
      With(Twice(threads), {{0x11, true, true, 0x100}, {0x22, true, true, 0x200}});
  EXPECT_EQ(Findings(look), "DEADLOCK certain, never, for 10.0 s | a> b>");
}

TEST(PythonThreads, ALockOfAThreadThatHasEndedIsAbandoned) {
  const PythonLook look =
      With(Twice({Wants(Thread("a", 1), kRLock, 0x11)}), {{0x11, true, true, 0x900}});
  EXPECT_EQ(Findings(look).substr(0, 22), "ABANDONED_LOCK certain");
}

TEST(PythonThreads, ALockThatNobodyIsKnownToHaveMayBeAnEvent) {
  const PythonLook look =
      With(Twice({Wants(Thread("a", 1), kLock, 0x11)}), {{0x11, true, false, 0}});
  EXPECT_EQ(Build(look).waits.at(0).purpose, WaitPurpose::kEvent);
  EXPECT_EQ(Findings(look), "");
}

TEST(PythonThreads, WhoeverIsIdleIsSilent) {
  EXPECT_EQ(Findings(Twice({Wants(Thread("a", 1), "queue.Queue", 0x11),
                            Wants(Thread("b", 2), "threading.Condition", 0x22),
                            Awaits(Thread("c", 3), PythonAwaitKind::kThread, {0x100})})),
            "");
}

TEST(PythonThreads, WorkersThatWaitForWorkBehindThemAreADeadlock) {
  std::vector<PythonThread> threads = {
      Awaits(Thread("a", 1), PythonAwaitKind::kConcurrent, {0x31}),
      Awaits(Thread("b", 2), PythonAwaitKind::kConcurrent, {0x32})};
  const std::vector<PythonCompletion> queued = {{0x31, true, {1, 2}, {}}, {0x32, true, {1, 2}, {}}};
  EXPECT_EQ(Findings(With(Twice(threads), {}, queued)).substr(0, 23), "DEADLOCK certain, never");
  // One that is idle takes the next call.
  threads[1] = Wants(Thread("b", 2), "_queue.SimpleQueue", 0x77);
  EXPECT_EQ(Findings(With(Twice(threads), {}, queued)), "");
}

TEST(PythonThreads, AllOfSomeFuturesAreAsStuckAsOneOfThem) {
  const std::vector<PythonCompletion> running = {{0x31, false, {2}, {}}, {0x32, false, {3}, {}}};
  const std::vector<PythonThread> threads = {
      Awaits(Thread("a", 1, {In(kLock, 0x11)}), PythonAwaitKind::kConcurrentAll, {0x31, 0x32}),
      Wants(Thread("b", 2), kLock, 0x11), Wants(Thread("c", 3), "queue.Queue", 0x44)};
  EXPECT_EQ(Findings(With(Twice(threads), {}, running)),
            "DEADLOCK certain, never, for 10.0 s | a> b>");
  std::vector<PythonThread> any = threads;
  any[0].waits_for.kind = PythonAwaitKind::kConcurrentAny;
  EXPECT_EQ(Findings(With(Twice(any), {}, running)).find("DEADLOCK"), std::string::npos);
}

TEST(PythonThreads, ATaskGoesOnOnlyWhenItsLoopDoes) {
  PythonThread loop = Wants(Thread("loop", 1), kLock, 0x11);
  loop.running_loop = 0x55;
  PythonTask task;
  task.address = 0x1000;
  task.name = "keeper";
  task.state = PythonTaskState::kWaiting;
  task.waits_for = {PythonAwaitKind::kSleep, 0x66, {}, "", 0, ""};
  task.loop = 0x55;
  task.thread = 1;
  task.frames = {{0, 3, 0x9100, false, {In(kLock, 0x11)}}};
  PythonLook look = Twice({loop});
  look.first.tasks = look.second.tasks = {task};
  EXPECT_EQ(Findings(look), "DEADLOCK certain, never, for 10.0 s | keeper> loop>");
  // Where the loop's thread waits for nothing of Python's the task will be woken.
  for (PythonProcess* process : {&look.first, &look.second}) process->threads[0].waits_for = {};
  EXPECT_EQ(Findings(look), "");
}

TEST(PythonThreads, TakeThePlaceOfWhatIsKnownInC) {
  Observation observation = Observe("python3: waits L event, holds M");
  observation.actors[0].id = {1001, 5};
  observation.actors[0].still = true;
  const std::size_t resources = observation.resources.size();
  Add(Twice({Wants(Thread("a", 1, {In(kLock, 0x11)}), kLock, 0x11)}), true, observation);
  ASSERT_EQ(observation.actors.size(), 1U);
  EXPECT_EQ(observation.actors[0].name, "a");
  ASSERT_EQ(observation.waits.size(), 1U);
  EXPECT_EQ(observation.waits[0].resource, static_cast<ResourceIndex>(resources));
  EXPECT_EQ(observation.waits[0].purpose, WaitPurpose::kAcquire);
  EXPECT_EQ(observation.waits[0].continuity, Continuity::kStill);
  EXPECT_TRUE(observation.waits[0].private_futex);
}

Frame Native(const std::string& function) {
  Frame frame;
  frame.function = function;
  return frame;
}
PythonStackFrame Python(const std::string& function, bool entry) {
  return {{FrameOrigin::kPython, 0, kNoIndex, 0, function, "", 0, false, false}, entry};
}
std::string Functions(const Stack& stack) {
  std::string text;
  for (const Frame& frame : stack.frames) text += frame.function + " ";
  return text;
}

TEST(PythonStack, HasTheFramesOfPythonWhereTheLoopRanThem) {
  const std::string loop = "_PyEval_EvalFrameDefault";
  const Stack native{{Native("wait"), Native(loop), Native("sort"), Native(loop), Native("main")},
                     StackEnd::kComplete};
  EXPECT_EQ(Functions(WithPythonFrames(native, {Python("a", false), Python("b", true),
                                                Python("c", false), Python("d", true)})),
            "wait a b sort c d main ");
  // Which belong together is not known.
  EXPECT_EQ(Functions(WithPythonFrames(native, {Python("a", false), Python("b", true)})),
            "wait a b sort main ");
  EXPECT_EQ(Functions(WithPythonFrames(native, {})), "wait " + loop + " sort " + loop + " main ");
  const Stack cut{{Native("wait"), Native(loop)}, StackEnd::kTooDeep};
  EXPECT_EQ(Functions(WithPythonFrames(cut, {Python("a", true), Python("b", true)})), "wait a b ");
}

}  // namespace
}  // namespace ct::testing
