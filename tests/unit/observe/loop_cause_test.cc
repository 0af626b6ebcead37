#include "observe/loop_cause.h"

#include <optional>
#include <vector>

#include <gtest/gtest.h>
#include <sys/syscall.h>

namespace ct {
namespace {

constexpr std::uint64_t kGil = 0x1000;

// A loop's thread (1) in a task, and another (2).
PythonProcess Process(char state, std::int64_t syscall = -1, std::uint64_t word = 0) {
  PythonProcess process;
  process.codes = {{"resize", "/srv/images.py"},
                   {"Handle._run", "/usr/lib/python3.11/asyncio/events.py"},
                   {"BaseEventLoop._run_once", "/usr/lib/python3.11/asyncio/base_events.py"},
                   {"crunch", "/srv/worker.py"}};
  PythonThread& loop = process.threads.emplace_back();
  loop.native_id = 1;
  loop.running_loop = 0x10;
  loop.running_task = 0x20;
  loop.task_name = "GET /thumb";
  loop.frames = {{0, 88, 0x100, false, {}}, {1, 80, 0x200, false, {}}, {2, 1922, 0x300, false, {}}};
  loop.activity.emplace();
  loop.activity->state = state;
  loop.activity->syscall = syscall;
  loop.activity->arguments[0] = word;
  PythonThread& other = process.threads.emplace_back();
  other.native_id = 2;
  other.frames = {{3, 12, 0x400, false, {}}};
  process.gils.push_back({.address = kGil, .size = 208, .held = true, .holder = 1});
  return process;
}

BlockJudgement Judge(const std::vector<PythonProcess>& looks,
                     std::optional<double> cpu_share = std::nullopt) {
  std::vector<LoopSample> samples;
  samples.reserve(looks.size());
  for (const PythonProcess& look : looks) samples.push_back(SampleOf(look, look.threads[0]));
  return JudgeBlock(samples, cpu_share);
}

PythonProcess Moving() {
  PythonProcess process = Process('R');
  process.threads[0].moved = true;
  return process;
}

PythonProcess AtOneInstruction() {
  PythonProcess process = Process('R');
  process.threads[0].at_one_instruction = true;
  return process;
}

TEST(LoopCause, NothingWasSeen) {
  EXPECT_EQ(JudgeBlock({}).cause, BlockCause::kUnknown);
  EXPECT_EQ(JudgeBlock({}).evidence, Evidence::kUnknown);
}

TEST(LoopCause, PythonCodeMovesAndCCodeDoesNot) {
  EXPECT_EQ(Judge({Moving(), Process('R')}).cause, BlockCause::kPython);
  EXPECT_EQ(Judge({Moving(), Process('R')}).evidence, Evidence::kCertain);
  EXPECT_EQ(Judge({Moving()}).evidence, Evidence::kProbable);
  EXPECT_EQ(Judge({Process('R'), Process('R')}).cause, BlockCause::kPython);
  EXPECT_EQ(Judge({Process('R'), Process('R')}).evidence, Evidence::kProbable) << "or C code";
  const BlockJudgement native = Judge({AtOneInstruction(), AtOneInstruction()});
  EXPECT_EQ(native.cause, BlockCause::kNative);
  EXPECT_EQ(native.detail, "holding the GIL");
  EXPECT_EQ(Judge({AtOneInstruction(), Process('R')}).cause, BlockCause::kNative);
  // The one came at its end, or in a short call: what most saw, and never certain.
  const BlockJudgement ended = Judge({AtOneInstruction(), AtOneInstruction(), Moving()});
  EXPECT_EQ(ended.cause, BlockCause::kNative);
  EXPECT_EQ(ended.evidence, Evidence::kProbable);
  const BlockJudgement calls = Judge({Moving(), AtOneInstruction(), Moving()});
  EXPECT_EQ(calls.cause, BlockCause::kPython);
  EXPECT_EQ(calls.evidence, Evidence::kProbable);
  PythonProcess released = AtOneInstruction();
  released.gils[0] = {.address = kGil, .size = 208};
  EXPECT_EQ(Judge({released, released}).detail, "not holding the GIL");
}

TEST(LoopCause, SleepsInASystemCall) {
  PythonProcess process = Process('S', SYS_recvfrom);
  process.threads[0].activity->object = "socket 10.0.0.4:5432";
  const BlockJudgement judgement = Judge({process, process});
  EXPECT_EQ(judgement.cause, BlockCause::kSyscall);
  EXPECT_EQ(judgement.detail, "recvfrom on socket 10.0.0.4:5432");
  EXPECT_EQ(Judge({Process('D')}).detail, "asleep outside of system calls (a page fault)");
}

TEST(LoopCause, AFutexIsALockOrTheGil) {
  EXPECT_EQ(Judge({Process('S', SYS_futex, 0x7000)}).cause, BlockCause::kLock);
  PythonProcess process = Process('S', SYS_futex, kGil + 32);
  process.gils[0].holder = 2;
  EXPECT_EQ(Judge({process}).cause, BlockCause::kGil);
  EXPECT_EQ(Judge({process}).detail, "held by thread 2 in crunch worker.py:12");
  process.gils[0].collecting = true;
  EXPECT_EQ(Judge({process}).detail,
            "held by thread 2 in crunch worker.py:12, which collects garbage");
  EXPECT_EQ(Judge({Process('S', SYS_futex, kGil + 208)}).cause, BlockCause::kLock);
  EXPECT_EQ(Judge({Process('S', SYS_futex, kGil - 8)}).cause, BlockCause::kLock);
}

// A loop's thread that waits for a lock which the other thread has, by its with-block.
PythonProcess WaitingForALock() {
  PythonProcess process = Process('S', SYS_futex, 0x7000);
  process.threads[0].waits_for = {PythonAwaitKind::kObject, 0x700, {}, "_thread.lock", 0x700, ""};
  process.threads[1].name = "worker";
  process.threads[1].frames[0].holds = {{"_thread.lock", 0x700, false, false, 0}};
  return process;
}

TEST(LoopCause, ALockWithWhoHasIt) {
  PythonProcess process = WaitingForALock();
  EXPECT_EQ(Judge({process}).detail,
            "threading.Lock held by thread worker (2) in crunch worker.py:12");
  process.threads[1].frames[0].holds[0].bare = true;
  EXPECT_EQ(Judge({process}).detail,
            "threading.Lock probably held by thread worker (2) in crunch worker.py:12");
  process.threads[1].frames[0].holds[0].object = 0x800;
  EXPECT_EQ(Judge({process}).detail, "threading.Lock") << "another one";
  process.threads[0].waits_for = {};
  EXPECT_EQ(Judge({process}).detail, "");
}

TEST(LoopCause, ALockOfATaskThatWaitsForSomethingElse) {
  PythonProcess process = WaitingForALock();
  PythonTask& task = process.tasks.emplace_back();
  task.name = "keeper";
  task.state = PythonTaskState::kWaiting;
  task.frames = {{3, 15, 0x500, false, {{"_thread.lock", 0x700, false, false, 0}}}};
  process.threads[1].frames[0].holds.clear();
  EXPECT_EQ(Judge({process}).detail, "threading.Lock held by task keeper in crunch worker.py:15");
}

TEST(LoopCause, AnRLockNamesWhoHasIt) {
  PythonProcess process = WaitingForALock();
  process.threads[0].waits_for.type = "_thread.RLock";
  process.threads[1].frames[0].holds.clear();
  process.threads[1].ident = 0x900;
  process.locks = {{0x700, true, true, 0x900}};
  EXPECT_EQ(Judge({process}).detail,
            "threading.RLock held by thread worker (2) in crunch worker.py:12");
}

TEST(LoopCause, WhoHasALockNeedBeSeenByOneLookOnly) {
  const PythonProcess seen = WaitingForALock();
  PythonProcess missed = seen;
  missed.threads[1].frames[0].holds.clear();
  for (const auto& looks : {std::vector{missed, seen}, std::vector{seen, missed}}) {
    EXPECT_EQ(Judge(looks).detail,
              "threading.Lock held by thread worker (2) in crunch worker.py:12");
  }
}

// On a busy machine a thread runs a little, sleeps a little, and is looked at once.
TEST(LoopCause, WhatTookLittleOfItIsNotItsCause) {
  const PythonProcess look = Moving();
  const std::vector<LoopSample> runs = {SampleOf(look, look.threads[0])};
  const PythonProcess other = Process('S', SYS_read);
  const std::vector<LoopSample> sleeps = {SampleOf(other, other.threads[0])};
  constexpr DurationNs kThreshold = 100 * kMillisecond;
  constexpr DurationNs kLittle = 60 * kMillisecond;
  EXPECT_EQ(JudgeIteration(runs, kLittle, kLittle, kThreshold).cause, BlockCause::kUnknown);
  EXPECT_EQ(JudgeIteration(sleeps, kLittle, kLittle, kThreshold).cause, BlockCause::kUnknown);
  EXPECT_EQ(JudgeIteration(runs, kThreshold, 0, kThreshold).cause, BlockCause::kPython);
  EXPECT_EQ(JudgeIteration(sleeps, 0, kThreshold, kThreshold).cause, BlockCause::kSyscall);
}

TEST(LoopCause, CollectsGarbageItself) {
  PythonProcess process = AtOneInstruction();
  process.gils[0].collecting = true;
  EXPECT_EQ(Judge({process, process}).cause, BlockCause::kGarbage);
}

TEST(LoopCause, IsStopped) { EXPECT_EQ(Judge({Process('T')}).cause, BlockCause::kStopped); }

// Looks at 0 and at 100 ms that find the thread in a futex, and another in `state`, which has had
// no CPU for so long meanwhile.
std::vector<LoopSample> Waits(std::uint64_t word, char state, DurationNs queued) {
  std::vector<LoopSample> samples;
  for (const bool last : {false, true}) {
    PythonProcess look = Process('S', SYS_futex, word);
    look.gils[0].holder = 2;
    look.threads[0].activity->read_at = last ? 100 * kMillisecond : 0;
    look.threads[1].activity.emplace();
    look.threads[1].activity->state = state;
    look.threads[1].activity->queued = last ? kSecond + queued : kSecond;
    samples.push_back(SampleOf(look, look.threads[0]));
  }
  return samples;
}

TEST(LoopCause, WhoKeepsItWaitingMayHaveNoCpu) {
  for (const auto& [word, cause] :
       {std::pair{kGil + 32, BlockCause::kGil}, std::pair{kGil + 0x7000, BlockCause::kLock}}) {
    EXPECT_EQ(JudgeIteration(Waits(word, 'R', 10 * kMillisecond)).cause, cause);
    const std::vector<LoopSample> starved = Waits(word, 'R', 90 * kMillisecond);
    EXPECT_EQ(JudgeBlock(starved).cause, cause);
    EXPECT_EQ(JudgeIteration(starved).cause, BlockCause::kUnknown);
    EXPECT_EQ(JudgeIteration(starved).evidence, Evidence::kUnknown);
    EXPECT_EQ(JudgeIteration({{starved[0]}}).cause, BlockCause::kUnknown) << "no time is known";
  }
  EXPECT_EQ(JudgeIteration({{Waits(kGil + 32, 'S', 0)[0]}}).cause, BlockCause::kGil)
      << "it sleeps with it";
  std::vector<LoopSample> unknown = Waits(kGil + 32, 'R', 0);
  for (LoopSample& sample : unknown) sample.others_queued.reset();
  EXPECT_EQ(JudgeIteration(unknown).cause, BlockCause::kUnknown);
}

// Looks may be few; how much of the time its thread ran is measured.
TEST(LoopCause, WhatTheThreadRanDecides) {
  const PythonProcess runs = Moving();
  const PythonProcess sleeps = Process('S', SYS_read);
  EXPECT_EQ(Judge({runs, runs, sleeps}, 0.1).cause, BlockCause::kSyscall);
  EXPECT_EQ(Judge({runs, sleeps, sleeps}, 0.9).cause, BlockCause::kPython);
  EXPECT_EQ(Judge({runs, sleeps, sleeps}, 0.9).shown, 0U);
  EXPECT_EQ(Judge({runs, sleeps, sleeps}, 0.5).cause, BlockCause::kSyscall);
  EXPECT_EQ(Judge({runs, runs}, 0.9).evidence, Evidence::kCertain);
  EXPECT_EQ(Judge({runs, runs}, 0.1).cause, BlockCause::kPython) << "nothing else was seen";
  EXPECT_EQ(Judge({runs, runs}, 0.1).evidence, Evidence::kProbable);
}

TEST(LoopCause, TheMostFrequentOneCounts) {
  const BlockJudgement judgement =
      Judge({Process('R'), Process('S', SYS_read), Process('S', SYS_read)});
  EXPECT_EQ(judgement.cause, BlockCause::kSyscall);
  EXPECT_EQ(judgement.evidence, Evidence::kProbable);
  EXPECT_NE(judgement.shown, 0U);
}

TEST(LoopCause, ManyShortCallbacksAreSeveral) {
  PythonProcess other = Process('R');
  EXPECT_FALSE(Judge({Process('R'), other}).several);
  other.threads[0].running_task = 0x30;
  EXPECT_TRUE(Judge({Process('R'), other}).several);
  other.threads[0].running_task = 0;  // a handle, after the task
  EXPECT_TRUE(Judge({Process('R'), other}).several);
}

TEST(LoopCause, InItsSelectorNothingIsInProgress) {
  PythonProcess process = Process('S', SYS_epoll_wait);
  EXPECT_FALSE(IsInSelector(process, process.threads[0])) << "a callback's own";
  process.threads[0].frames.erase(process.threads[0].frames.begin(),
                                  process.threads[0].frames.begin() + 2);
  EXPECT_TRUE(IsInSelector(process, process.threads[0]));
  process.threads[0].iteration_began = 5.0;
  EXPECT_FALSE(IsInSelector(process, process.threads[0]));
}

}  // namespace
}  // namespace ct
