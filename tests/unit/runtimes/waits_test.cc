#include "runtimes/cpython/waits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_heap.h"

namespace ct::cpython {
namespace {

// A task in the wait() of an Event that something of anyio has made for it.
class Waits : public testing::Test {
 protected:
  Address Instance(const std::string& module, const std::string& name,
                   const std::vector<std::pair<std::string, Address>>& attributes) {
    const Address type = fake_.NewType(name, 1 << 9);
    fake_.memory.Write<std::int64_t>(type + 288, 16);
    fake_.memory.Write(type + 264, fake_.Dict({{"__module__", fake_.Str(module)}}));
    const Address object = fake_.New(64, type);
    fake_.memory.Write(object + 16, fake_.Dict(attributes));
    return object;
  }
  FrameView Method(const std::string& function, Address self) {
    const Address code = fake_.Code(function, 1, 1);
    fake_.memory.Write(code + 96, fake_.Tuple({fake_.Str("self")}));
    const Address frame = fake_.New(256, 0);
    fake_.WriteFrame(frame, code, 0, 1);
    fake_.memory.Write(frame + 72, self);
    return frames_.At(frame).value_or(FrameView());
  }
  // What the task waits for whose wait() `function` of `object` has called.
  PythonAwait In(const std::string& function, Address object) {
    const Address future = fake_.New(200, fake_.NewType("_asyncio.Future", 0));
    event_ = Instance("asyncio.locks", "Event", {{"_waiters", fake_.Deque({future})}});
    PythonTask task;
    task.frames.resize(2);
    waits_.Describe(future, {Method("Event.wait", event_), Method(function, object)}, task);
    return task.waits_for;
  }

  FakeHeap fake_;
  CodeCache codes_{fake_.heap};
  FrameReader frames_{fake_.heap, codes_};
  WaitReader waits_{fake_.heap, frames_};
  Address event_ = 0;
};

TEST_F(Waits, AreForTheLockOfAnyioThatMadeTheEvent) {
  const std::string backend = "anyio._backends._asyncio";
  const std::vector<std::array<std::string, 4>> expected = {
      {"anyio", "Lock", "acquire", "_waiters"},
      {"anyio", "Semaphore", "acquire", "_waiters"},
      {"anyio", "Condition", "wait", "_waiters"},
      {backend, "CapacityLimiter", "acquire_on_behalf_of", "_wait_queue"}};
  for (const auto& [module, name, method, attribute] : expected) {
    const Address lock = Instance(module, name, {});
    const PythonAwait wait = In(name + "." + method, lock);
    EXPECT_EQ(wait.kind, PythonAwaitKind::kObject);
    EXPECT_EQ(wait.type, module + "." + name);
    EXPECT_EQ(wait.object, lock);
    EXPECT_EQ(wait.attribute, attribute);
  }
}

TEST_F(Waits, AreForTheEventWhereSomethingElseMadeIt) {
  const PythonAwait own = In("Lock.acquire", Instance("app", "Lock", {}));
  EXPECT_EQ(own.type, "asyncio.locks.Event");
  EXPECT_EQ(own.object, event_);
  EXPECT_EQ(In("Lock.use", Instance("anyio", "Lock", {})).object, event_);
}

}  // namespace
}  // namespace ct::cpython
