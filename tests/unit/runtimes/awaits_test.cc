#include "runtimes/cpython/awaits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_heap.h"

namespace ct::cpython {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::size_t kMaxFrames = 512;

class Awaits : public testing::Test {
 protected:
  AwaitChain Follow(Address coroutine) {
    return FollowAwaits(fake_.heap, frames_, coroutine, kMaxFrames);
  }
  static std::vector<std::string> Functions(const AwaitChain& chain) {
    std::vector<std::string> functions;
    for (const FrameView& frame : chain.frames) functions.push_back(frame.code->function);
    return functions;
  }
  FakeHeap fake_;
  CodeCache codes_{fake_.heap};
  FrameReader frames_{fake_.heap, codes_};
};

TEST_F(Awaits, AreFollowedToTheFuture) {
  const Address future = fake_.New(200, fake_.NewType("_asyncio.Future", 0));
  const Address chain =
      fake_.Coroutine("outer", fake_.Coroutine("middle", fake_.Coroutine("inner", future)));
  EXPECT_THAT(Functions(Follow(chain)), ElementsAre("outer", "middle", "inner"));
  EXPECT_FALSE(Follow(chain).truncated);
}

TEST_F(Awaits, GoThroughTheStepsOfAsyncGenerators) {
  const Address step = fake_.New(40, fake_.NewType("async_generator_asend", 0));
  fake_.memory.Write(step + 16, fake_.Coroutine("inner", 0));
  EXPECT_THAT(Functions(Follow(fake_.Coroutine("outer", step))), ElementsAre("outer", "inner"));
}

TEST_F(Awaits, EndWhereTheyAreACycle) {
  const Address inner = fake_.Coroutine("inner", 0);
  const Address outer = fake_.Coroutine("outer", inner);
  fake_.SetAwaited(inner, outer);
  const AwaitChain chain = Follow(outer);
  EXPECT_TRUE(chain.truncated);
  EXPECT_THAT(chain.frames, SizeIs(kMaxFrames));
  // A cycle without any frame.
  const Address step = fake_.New(40, fake_.NewType("async_generator_asend", 0));
  fake_.memory.Write(step + 16, step);
  EXPECT_TRUE(Follow(step).truncated);
  EXPECT_THAT(fake_.heap.skips().Take(), SizeIs(1));
}

TEST_F(Awaits, EndAtWildPointers) {
  EXPECT_THAT(Functions(Follow(fake_.Coroutine("outer", 0x7fff12345678))), ElementsAre("outer"));
  EXPECT_THAT(Follow(0x7fff12345678).frames, IsEmpty());
  const Address coroutine = fake_.Coroutine("f", 0);
  fake_.memory.Write<Address>(coroutine + 80 + 32, 0x7fff12345678);  // its code
  EXPECT_TRUE(Follow(coroutine).truncated);
  // More slots than its code has: no stack at all.
  const Address deep = fake_.Coroutine("deep", fake_.Coroutine("inner", 0));
  fake_.memory.Write<std::int32_t>(deep + 80 + 64, 0x7fffffff);
  EXPECT_THAT(Functions(Follow(deep)), ElementsAre("deep"));
}

}  // namespace
}  // namespace ct::cpython
