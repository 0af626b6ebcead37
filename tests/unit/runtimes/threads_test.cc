#include "runtimes/cpython/threads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_heap.h"

namespace ct::cpython {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// 3.11: two threads in one interpreter, the first in two frames.
class Threads : public testing::Test {
 protected:
  void SetUp() override {
    interpreter_.runtime = fake_.New(1024, 0);
    interpreter_.version = 0x030b02f0;
    interpreter_.offsets = OffsetsOf(11);
    interp_ = fake_.New(1024, 0);
    fake_.memory.Write(interp_, Address{0});
    first_ = Thread(100);
    second_ = Thread(101);
    fake_.memory.Write(interpreter_.runtime + 40, interp_);
    fake_.memory.Write(interp_ + 16, first_);
    Link(first_, second_);
    outer_ = fake_.New(128, 0);
    inner_ = fake_.New(128, 0);
    fake_.WriteFrame(outer_, fake_.Code("outer", 1, 2), 0, -1);
    fake_.WriteFrame(inner_, fake_.Code("inner", 1, 2), outer_, -1);
    const Address cframe = fake_.New(32, 0);
    fake_.memory.Write(cframe + 8, inner_);
    fake_.memory.Write(first_ + 56, cframe);
  }
  Address Thread(std::uint64_t native_id) {
    const Address thread = fake_.New(256, 0);
    fake_.memory.Write(thread, Address{0});
    fake_.memory.Write(thread + 8, Address{0});
    fake_.memory.Write(thread + 16, interp_);
    fake_.memory.Write(thread + 160, native_id);
    return thread;
  }
  void Link(Address thread, Address next) {
    fake_.memory.Write(thread + 8, next);
    fake_.memory.Write(next, thread);
  }
  std::vector<InterpreterView> Read(const std::function<void()>& forget = [] {}) {
    return ReadThreads(fake_.heap, frames_, interpreter_, forget);
  }

  FakeHeap fake_;
  CodeCache codes_{fake_.heap};
  FrameReader frames_{fake_.heap, codes_};
  Interpreter interpreter_;
  Address interp_ = 0, first_ = 0, second_ = 0, outer_ = 0, inner_ = 0;
};

TEST_F(Threads, AreReadWithTheirFrames) {
  const auto interpreters = Read();
  ASSERT_THAT(interpreters, SizeIs(1));
  ASSERT_THAT(interpreters[0].threads, SizeIs(2));
  const PythonThread& thread = interpreters[0].threads[0].thread;
  EXPECT_EQ(thread.native_id, 100);
  EXPECT_FALSE(thread.truncated);
  ASSERT_THAT(thread.frames, SizeIs(2));
  EXPECT_EQ(interpreters[0].threads[0].frames[0].code->function, "inner");
  EXPECT_EQ(thread.frames[0].line, 7u);
  EXPECT_EQ(interpreters[0].threads[1].thread.native_id, 101);
}

TEST_F(Threads, NameTheHolderOfTheGil) {
  const Address gil = interpreter_.runtime + 360;
  fake_.memory.Write(gil + 8, second_);
  fake_.memory.Write<std::int32_t>(gil + 16, 1);
  const auto gils = ReadGils(fake_.heap, interpreter_, Read());
  ASSERT_THAT(gils, SizeIs(1));
  EXPECT_EQ(gils[0].address, gil);
  EXPECT_TRUE(gils[0].held);
  EXPECT_EQ(gils[0].holder, 101);
  // The last holder of a free GIL holds nothing.
  fake_.memory.Write<std::int32_t>(gil + 16, 0);
  EXPECT_EQ(ReadGils(fake_.heap, interpreter_, Read())[0].holder, 0);
}

TEST_F(Threads, EndWhereListsAreCycles) {
  fake_.memory.Write(second_ + 8, first_);
  fake_.memory.Write(interp_, interp_);
  fake_.memory.Write(outer_ + 48, inner_);
  const auto interpreters = Read();
  ASSERT_THAT(interpreters, SizeIs(1));
  ASSERT_THAT(interpreters[0].threads, SizeIs(2));
  EXPECT_TRUE(interpreters[0].threads[0].thread.truncated);
  EXPECT_THAT(interpreters[0].threads[0].thread.frames, SizeIs(512));
  EXPECT_FALSE(fake_.heap.skips().Take().empty());
}

TEST_F(Threads, EndAtFramesWithoutCodeThatAreACycle) {
  fake_.memory.Write(inner_ + 48, inner_);
  fake_.memory.Write<std::uint8_t>(inner_ + 69, 3);
  const auto interpreters = Read();
  EXPECT_TRUE(interpreters.at(0).threads.at(0).thread.truncated);
}

TEST_F(Threads, OfAnotherInterpreterAreLeftOut) {
  fake_.memory.Write(second_ + 16, Address{0x1000});
  int walks = 1;
  EXPECT_THAT(Read([&] { ++walks; }).at(0).threads, SizeIs(1));
  EXPECT_THAT(fake_.heap.skips().Take(), ElementsAre(PythonSkip{"thread state not readable", 1}));
  EXPECT_EQ(walks, 8);
}

// Its memory is something else when the walk arrives there; the next walk does not.
TEST_F(Threads, ThatEndMeanwhileAreNoLoss) {
  const Address third = Thread(102);
  Link(second_, third);
  fake_.memory.Write(second_, Address{0x5e5e5e5e});
  const auto interpreters = Read([&] { Link(first_, third); });
  ASSERT_THAT(interpreters, SizeIs(1));
  ASSERT_THAT(interpreters[0].threads, SizeIs(2));
  EXPECT_EQ(interpreters[0].threads[0].thread.native_id, 100);
  EXPECT_EQ(interpreters[0].threads[1].thread.native_id, 102);
  EXPECT_THAT(fake_.heap.skips().Take(), IsEmpty());
}

// The frame below was left, and another is there, when the walk arrives; the next walk sees that.
TEST_F(Threads, WhoseStackChangesAreReadAgain) {
  fake_.WriteFrame(inner_, fake_.Code("inner", 1, 2), Address{0x5e5e5e58}, -1);
  int walks = 0;
  const auto interpreters = Read([&] {
    ++walks;
    fake_.WriteFrame(inner_, fake_.Code("inner", 1, 2), outer_, -1);
  });
  EXPECT_EQ(walks, 1);
  ASSERT_THAT(interpreters.at(0).threads, SizeIs(2));
  EXPECT_THAT(interpreters[0].threads[0].frames, SizeIs(2));
  EXPECT_FALSE(interpreters[0].threads[0].thread.truncated);
  EXPECT_THAT(fake_.heap.skips().Take(), IsEmpty());
}

TEST_F(Threads, WhoseStackStaysTornAreOneSkip) {
  fake_.WriteFrame(inner_, fake_.Code("inner", 1, 2), Address{0x5e5e5e58}, -1);
  const auto interpreters = Read();
  ASSERT_THAT(interpreters.at(0).threads, SizeIs(2));
  EXPECT_TRUE(interpreters[0].threads[0].thread.truncated);
  EXPECT_THAT(fake_.heap.skips().Take(),
              ElementsAre(PythonSkip{"frame of a thread not readable", 1}));
}

// One that begins is put in front of the others.
TEST_F(Threads, ThatBeginMeanwhileAreRead) {
  const Address young = Thread(102);
  fake_.memory.Write(first_, young);
  const auto interpreters = Read([&] {
    Link(young, first_);
    fake_.memory.Write(interp_ + 16, young);
  });
  ASSERT_THAT(interpreters.at(0).threads, SizeIs(3));
  EXPECT_EQ(interpreters[0].threads[0].thread.native_id, 102);
  EXPECT_THAT(fake_.heap.skips().Take(), IsEmpty());
}

}  // namespace
}  // namespace ct::cpython
