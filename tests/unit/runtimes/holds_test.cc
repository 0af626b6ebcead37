#include "runtimes/cpython/holds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_heap.h"

namespace ct::cpython {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;
using testing::SizeIs;

// A suspended frame with one local; the bound methods that a test wants on its stack of four.
class Holds : public testing::Test {
 protected:
  Address Bound(std::string_view method, Address self) {
    if (function_ == 0) function_ = fake_.NewType("function", 0);
    if (method_ == 0) method_ = fake_.NewType("method", 0);
    const Address function = fake_.New(128, function_);
    fake_.memory.Write(function + 32, fake_.Str(method));
    const Address bound = fake_.New(48, method_);
    fake_.memory.Write(bound + 16, function);
    fake_.memory.Write(bound + 24, self);
    return bound;
  }
  // `exceptions`: the table; the frame is at its first instruction.
  std::vector<PythonHold> Read(std::string_view exceptions, const std::vector<Address>& stack) {
    const Address code = fake_.Code("f", 1, 4);
    fake_.memory.Write(code + 40, fake_.Bytes(exceptions));
    const Address frame = fake_.New(256, 0);
    fake_.WriteFrame(frame, code, 0, 1 + static_cast<std::int32_t>(stack.size()));
    for (std::size_t i = 0; i < stack.size(); ++i) {
      fake_.memory.Write(frame + 80 + i * 8, stack[i]);
    }
    const auto view = frames_.At(frame);
    EXPECT_TRUE(view && view->code != nullptr);
    std::vector<PythonFrame> out(1);
    holds_.Fill({*view}, true, out);
    return out[0].holds;
  }
  FakeHeap fake_;
  CodeCache codes_{fake_.heap};
  FrameReader frames_{fake_.heap, codes_};
  HoldReader holds_{fake_.heap, frames_, codes_};
  Address thing_ = fake_.New(32, fake_.NewType("Thing", 0));
  Address other_ = fake_.New(32, fake_.NewType("Other", 0));
  Address function_ = 0, method_ = 0;
};

// start 0, size 8 units, handler 16, depth 1 with lasti: 1 << 1 | 1.
constexpr std::string_view kDepthOne("\x80\x08\x10\x03", 4);

TEST_F(Holds, AreBelowTheDepthOfTheHandlerAndEnteringAbove) {
  const auto holds =
      Read(kDepthOne, {Bound("__exit__", thing_), Bound("__aexit__", other_), thing_});
  ASSERT_THAT(holds, SizeIs(2));
  EXPECT_EQ(holds[0].type, "Thing");
  EXPECT_EQ(holds[0].object, thing_);
  EXPECT_FALSE(holds[0].entering);
  EXPECT_FALSE(holds[0].is_async);
  EXPECT_EQ(holds[1].object, other_);
  EXPECT_TRUE(holds[1].entering);
  EXPECT_TRUE(holds[1].is_async);
}

TEST_F(Holds, AreOnlyWhatAWithStatementLeavesThere) {
  EXPECT_THAT(Read(kDepthOne, {Bound("close", thing_), thing_, 0x7fff12345678}), IsEmpty());
}

TEST_F(Holds, AreFoundThroughExitStacksWithinLimits) {
  const Address stack_type = fake_.NewType("ExitStack", 1 << 9);
  fake_.memory.Write<std::int64_t>(stack_type + 288, 16);
  fake_.memory.Write(stack_type + 264, fake_.Dict({{"__module__", fake_.Str("contextlib")}}));
  const Address stack = fake_.New(64, stack_type);
  const Address callback = fake_.Tuple({thing_, Bound("__exit__", other_)});
  const auto fill = [&](const std::vector<Address>& callbacks) {
    fake_.memory.Write(stack + 16, fake_.Dict({{"_exit_callbacks", fake_.Deque(callbacks)}}));
  };
  fill({callback});
  EXPECT_THAT(Read(kDepthOne, {Bound("__exit__", stack)}),
              ElementsAre(Field(&PythonHold::type, "contextlib.ExitStack"),
                          Field(&PythonHold::object, other_)));
  // A stack in itself, many times: 100 to the power of the depth.
  fill(std::vector<Address>(100, fake_.Tuple({thing_, Bound("__exit__", stack)})));
  EXPECT_THAT(Read(kDepthOne, {Bound("__exit__", stack)}), SizeIs(256));
}

TEST_F(Holds, AreTheLocksOfConditions) {
  for (const std::string module : {"anyio", "asyncio.locks", "threading"}) {
    const Address type = fake_.NewType("Condition", 1 << 9);
    fake_.memory.Write<std::int64_t>(type + 288, 16);
    fake_.memory.Write(type + 264, fake_.Dict({{"__module__", fake_.Str(module)}}));
    const Address condition = fake_.New(64, type);
    fake_.memory.Write(condition + 16, fake_.Dict({{"_lock", other_}}));
    EXPECT_THAT(Read(kDepthOne, {Bound("__aexit__", condition)}),
                ElementsAre(Field(&PythonHold::type, module + ".Condition"),
                            testing::AllOf(Field(&PythonHold::object, other_),
                                           Field(&PythonHold::through, condition))));
  }
}

}  // namespace
}  // namespace ct::cpython
