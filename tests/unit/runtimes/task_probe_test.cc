// Where 3.11 initializes asyncio's tasks, and which lines instructions are of.
#include "runtimes/cpython/task_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_heap.h"

namespace ct::cpython {
namespace {

constexpr Address kInit = 0x7f00'1230;

class Probes : public testing::Test {
 protected:
  void SetUp() override {
    interpreter_.runtime = fake_.New(1024, 0);
    interpreter_.offsets = OffsetsOf(11);
    fake_.memory.Write(interpreter_.runtime + 40, Interp({}));
  }
  Address Interp(const std::vector<std::pair<std::string, Address>>& modules) {
    const Address interp = fake_.New(1024, 0);
    fake_.memory.Write(interp + 888, fake_.Dict(modules));
    return interp;
  }
  Address Module(Address dict) {
    const Address module = fake_.New(64, fake_.NewType("module", 0));
    fake_.memory.Write(module + 16, dict);
    return module;
  }
  Address TaskType(std::string_view name) {
    const Address type = fake_.NewType(name, 0);
    fake_.memory.Write(type + 296, kInit);
    return type;
  }

  FakeHeap fake_;
  Interpreter interpreter_;
};

TEST_F(Probes, AreFoundByTheTypesSlot) {
  // The first interpreter has not imported it.
  const Address first = fake_.heap.Word(interpreter_.runtime + 40);
  fake_.memory.Write(
      first, Interp({{"_asyncio", Module(fake_.Dict({{"Task", TaskType("_asyncio.Task")}}))}}));
  const auto probe = ReadTaskProbe(fake_.heap, interpreter_);
  ASSERT_TRUE(probe);
  EXPECT_EQ(probe->address, kInit);
  EXPECT_EQ(probe->frames.last_holder, interpreter_.runtime + 360 + 8);
  EXPECT_TRUE(probe->frames.behind_cframe);
  EXPECT_EQ(probe->frames.frame_code, 32U);
  EXPECT_EQ(probe->frames.frame_previous, 48U);
  EXPECT_EQ(probe->frames.frame_instruction, 56U);
  EXPECT_EQ(probe->frames.frame_owner, 69U);
  EXPECT_EQ(probe->frames.code_mask, ~Address{0});
}

TEST_F(Probes, AreNoneWithoutAsyncio) { EXPECT_FALSE(ReadTaskProbe(fake_.heap, interpreter_)); }

TEST_F(Probes, OfFramesNeedNoAsyncio) {
  const auto probe = ReadFrameProbe(fake_.heap, interpreter_);
  ASSERT_TRUE(probe);
  EXPECT_EQ(probe->last_holder, interpreter_.runtime + 360 + 8);
  EXPECT_EQ(probe->frame_owner, 69U);
  fake_.memory.Write(interpreter_.runtime + 40, Address{0});
  EXPECT_FALSE(ReadFrameProbe(fake_.heap, interpreter_)) << "it has not started yet";
}

TEST_F(Probes, AreNoneOnWhatIsNotTheTypeOfTasks) {
  for (const Address task : {TaskType("shop.Task"), fake_.Str("Task"), Address{8}}) {
    fake_.memory.Write(interpreter_.runtime + 40,
                       Interp({{"_asyncio", Module(fake_.Dict({{"Task", task}}))}}));
    EXPECT_FALSE(ReadTaskProbe(fake_.heap, interpreter_));
  }
}

TEST_F(Probes, InterpretersInACircleEnd) {
  const Address first = fake_.heap.Word(interpreter_.runtime + 40);
  fake_.memory.Write(first, first);
  EXPECT_FALSE(ReadTaskProbe(fake_.heap, interpreter_));
}

TEST_F(Probes, PointsAreLinesOfTheirCode) {
  const Address code = fake_.Code("submit", 1, 2);
  fake_.memory.Write<std::uint64_t>(code + 16, 8);  // instructions, of two bytes
  const auto at = [&](std::int64_t offset) {
    return CodePoint{code, static_cast<std::uint32_t>(184 + offset)};
  };
  CodeCache codes(fake_.heap);
  const std::vector<CodePoint> points = {at(4),       at(-2), at(-4), at(16), {fake_.Str("x"), 190},
                                         {12345, 190}};
  const CodePlaces places = ReadPlaces(codes, points);
  ASSERT_EQ(places.codes.size(), 1U);
  EXPECT_EQ(places.codes[0], (PythonCode{"submit", "app.py"}));
  ASSERT_EQ(places.places.size(), points.size());
  EXPECT_EQ(places.places[0], (CodePlace{0, 7}));
  EXPECT_EQ(places.places[1], (CodePlace{0, 7}));  // a frame that has not begun
  for (std::size_t i = 2; i < points.size(); ++i) {
    EXPECT_EQ(places.places[i], CodePlace()) << i;  // beyond its code, or no code at all
  }
}

}  // namespace
}  // namespace ct::cpython
