#include "observe/loop_state.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>

namespace ct {
namespace {

constexpr TimeNs kBegan = 100 * kSecond;
constexpr DurationNs kThreshold = 100 * kMillisecond;

PythonProcess Process(std::uint64_t instruction = 1) {
  PythonProcess process;
  process.codes = {{"resize", "/srv/images.py"},
                   {"Handle._run", "/usr/lib/python3.11/asyncio/events.py"},
                   {"main", "/srv/app.py"}};
  process.gils = {{0x50, 208, true, 1, false}};
  PythonThread& thread = process.threads.emplace_back();
  thread.native_id = 1;
  thread.running_loop = 0x10;
  thread.iteration_began = static_cast<double>(kBegan) / kSecond;
  thread.instruction = instruction;
  thread.frames.resize(3);
  for (std::uint32_t i = 0; i < 3; ++i) thread.frames[i].code = i;
  thread.frames[0].line = 88;
  return process;
}

// Two looks 120 ms apart, within sweeps that begin 10 ms before and end 10 ms after, the second
// `age` after the iteration began.
struct Case {
  DurationNs age = kSecond;
  LoopStatePlace::Thread thread;
  PythonLook look{Process(1), Process(2), 0, 0, 0};

  Case() {
    thread.actor = 0;
    thread.activity.state = 'R';
  }

  void Sleep(TimeNs since, std::int64_t syscall) {
    thread.slept_since = since;
    thread.activity.state = 'S';
    thread.activity.syscall = syscall;
  }

  Observation Add() {
    look.second_begin = kBegan + age;
    look.begin = look.second_begin - 120 * kMillisecond;
    look.end = look.second_begin + 5 * kMillisecond;
    LoopStatePlace place;
    place.threshold = kThreshold;
    place.begin = look.begin - 10 * kMillisecond;
    place.end = look.second_begin + 10 * kMillisecond;
    place.thread = [&](const PythonThread&) { return thread; };
    Observation observation;
    AddLoopStates(look, place, observation);
    return observation;
  }
};

TEST(LoopState, OneThatRanAllTheTime) {
  Case it;
  it.thread.ran = 138 * kMillisecond;
  const Observation told = it.Add();
  ASSERT_EQ(told.loops.blocks.size(), 1U);
  EXPECT_EQ(told.loops.blocks[0].cause, BlockCause::kPython);
  EXPECT_EQ(told.loops.blocks[0].worst, kSecond);
  EXPECT_TRUE(told.loops.blocks[0].in_progress);
  ASSERT_EQ(told.stacks.size(), 1U);
  EXPECT_EQ(told.stacks[0].frames.size(), 1U) << "who started the loop is not who blocks it";
}

TEST(LoopState, OneThatHadNoCpuIsNotBlocked) {
  Case it;
  it.thread.ran = 40 * kMillisecond;  // within the sweeps; of that perhaps 10 in this iteration
  it.age = 300 * kMillisecond;
  EXPECT_TRUE(it.Add().loops.blocks.empty());
  it.age = 10 * kSecond;
  it.thread.ran = 20 * kMillisecond;
  EXPECT_TRUE(it.Add().loops.blocks.empty());
}

// On a busy host it gets a part of a CPU.
TEST(LoopState, OneThatHasLastedSeveralTimesAsLong) {
  Case it;
  it.thread.ran = 70 * kMillisecond;
  EXPECT_TRUE(it.Add().loops.blocks.empty());
  it.age = 3 * kSecond;
  EXPECT_EQ(it.Add().loops.blocks.size(), 1U);
}

TEST(LoopState, OneThatSleeps) {
  Case it;
  it.look.first = Process(2);
  it.Sleep(kBegan + kMillisecond, SYS_read);
  EXPECT_EQ(it.Add().loops.blocks.size(), 1U);
  it.thread.slept_since = kBegan + kSecond - kThreshold / 2;
  EXPECT_TRUE(it.Add().loops.blocks.empty()) << "for half the time";
}

TEST(LoopState, AnotherIterationIsAnother) {
  Case it;
  it.thread.ran = 138 * kMillisecond;
  it.look.first.threads[0].iteration_began = 99.0;
  EXPECT_TRUE(it.Add().loops.blocks.empty());
}

// uvloop keeps no time: it slept all the while, and not in its selector.
TEST(LoopState, WithoutTheTimeOnlyWhoSleepsElsewhere) {
  Case it;
  for (PythonProcess* process : {&it.look.first, &it.look.second}) {
    process->threads[0].iteration_began.reset();
  }
  it.thread.ran = 138 * kMillisecond;
  EXPECT_TRUE(it.Add().loops.blocks.empty());
  it.Sleep(kBegan, SYS_read);
  EXPECT_EQ(it.Add().loops.blocks.size(), 1U);
  it.thread.activity.syscall = SYS_epoll_wait;
  EXPECT_TRUE(it.Add().loops.blocks.empty());
}

}  // namespace
}  // namespace ct
