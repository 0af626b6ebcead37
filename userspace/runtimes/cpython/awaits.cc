#include "runtimes/cpython/awaits.h"

namespace ct::cpython {
namespace {

// Steps through objects that are no frames: an asend(), a coroutine_wrapper.
constexpr int kMaxSteps = 2048;
// PyAsyncGenASend.ags_gen, PyAsyncGenAThrow.agt_gen, PyCoroWrapper.cw_coroutine,
// anextawaitableobject.wrapped: all the first field of their object, 3.11 to 3.15.
constexpr std::uint64_t kFirstField = 16;

}  // namespace

AwaitChain FollowAwaits(Heap& heap, FrameReader& frames, Address coroutine,
                        std::size_t max_frames) {
  AwaitChain chain;
  Address at = coroutine;
  for (int step = 0; step < kMaxSteps; ++step) {
    switch (heap.KindOf(at)) {
      case Kind::kAsyncGeneratorStep:
      case Kind::kCoroutineWrapper:
      case Kind::kAnextAwaitable:
        at = heap.Word(at + kFirstField);
        continue;
      case Kind::kCoroutine:
      case Kind::kGenerator:
      case Kind::kAsyncGenerator:
        break;
      default:
        return chain;  // a future, or an awaitable of somebody's own
    }
    auto frame = frames.OfGenerator(at);
    if (!frame) {
      heap.skips().Add("frame of a coroutine not readable");
      chain.truncated = true;
      return chain;
    }
    chain.state = frames.StateOf(at, *frame);
    if (chain.state == GeneratorState::kFinished) return chain;  // its frame is gone
    if (chain.frames.size() >= max_frames) break;
    if (frame->code == nullptr) {
      heap.skips().Add("frame of a coroutine not readable");
      chain.truncated = true;
      return chain;
    }
    chain.frames.push_back(*frame);
    if (chain.state != GeneratorState::kDelegating) return chain;
    at = frames.Awaited(*frame);
  }
  heap.skips().Add("await chain truncated");
  chain.truncated = true;
  return chain;
}

}  // namespace ct::cpython
