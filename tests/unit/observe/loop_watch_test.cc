// When an event loop that is blocked is looked at, and how much of it is read.
#include "observe/loop_watch.h"

#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/syscall.h>

namespace ct {
namespace {

constexpr pid_t kLoop = 7;
constexpr DurationNs kThreshold = 100 * kMillisecond;

class FakeLoopTracer final : public LoopTracer {
 public:
  [[nodiscard]] AttachWay way() const override { return AttachWay::kFentry; }
  Status Select(const std::unordered_set<pid_t>&) override { return {}; }
  Result<std::vector<Iteration>> Take() override { return std::vector<Iteration>(); }
  Result<std::vector<LoopCount>> Threads() override { return std::vector<LoopCount>{now}; }
  void Forget(pid_t) override {}
  Result<LoopCounters> Counters() override { return LoopCounters(); }

  LoopCount now;
};

// One thread with a loop, asleep in a futex; which lock that is, only where it was asked.
class LoopReader final : public Reader {
 public:
  ProcessRead Read(const ProcessToRead& request) override {
    locks.push_back(request.loop_locks);
    cost_.cpu += cpu;
    ProcessRead answer;
    PythonProcess& process = answer.python.emplace();
    process.codes = {{"store", "/srv/shop.py"}};
    PythonThread& loop = process.threads.emplace_back();
    loop.native_id = loop.host_tid = kLoop;
    loop.running_loop = 0x10;
    loop.iteration_began = 1;
    loop.frames = {{0, 12, 0x100, false, {}}};
    loop.activity.emplace();
    loop.activity->state = 'S';
    loop.activity->syscall = SYS_futex;
    if (request.loop_locks && knows_lock) {
      loop.waits_for.kind = PythonAwaitKind::kObject;
      loop.waits_for.type = "threading.Lock";
      loop.waits_for.object = 0x2000;
    }
    if (knows_holder) {
      process.locks.push_back({.address = 0x2000, .locked = true, .owner = 0x9000});
      PythonThread& owner = process.threads.emplace_back();
      owner.native_id = 8;
      owner.ident = 0x9000;
    }
    return answer;
  }
  [[nodiscard]] ReaderCost cost() const override { return cost_; }

  DurationNs cpu = 0;  // of each look
  bool knows_lock = true;
  bool knows_holder = false;
  std::vector<bool> locks;  // whether it was asked for locks, of each look

 private:
  ReaderCost cost_{.cpu = 1};
};

class LoopWatchTest : public testing::Test {
 protected:
  // An iteration that began so long ago.
  void Begin(DurationNs ago) {
    tracer_.now.tid = kLoop;
    tracer_.now.pid = 1;
    tracer_.now.begin = MonotonicNow() - ago;
  }
  void Steps(int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(watch_.Step());
      std::this_thread::sleep_for(std::chrono::milliseconds(21));
    }
  }

  FakeLoopTracer tracer_;
  LoopReader reader_;
  LoopWatch watch_{tracer_, reader_, kThreshold, kThreshold};
};

TEST_F(LoopWatchTest, ReadsWhoHasTheLockUntilThatIsKnown) {
  reader_.knows_holder = true;
  Begin(50 * kMillisecond);
  Steps(4);
  ASSERT_GE(reader_.locks.size(), 3U);
  EXPECT_TRUE(reader_.locks[0]);
  EXPECT_FALSE(reader_.locks[1]);
  EXPECT_FALSE(reader_.locks[2]);
}

TEST_F(LoopWatchTest, GivesUpReadingWhoHasTheLock) {
  Begin(50 * kMillisecond);
  Steps(5);
  ASSERT_GE(reader_.locks.size(), 4U);
  EXPECT_EQ(std::vector<bool>(reader_.locks.begin(), reader_.locks.begin() + 4),
            (std::vector<bool>{true, true, false, false}));
  // Of the next iteration it is read again.
  Begin(50 * kMillisecond);
  const std::size_t before = reader_.locks.size();
  Steps(2);
  ASSERT_GT(reader_.locks.size(), before);
  EXPECT_TRUE(reader_.locks[before]);
}

// A look that took 100 ms of CPU time is 400 ms that must pass; but half a second had passed
// before.
TEST_F(LoopWatchTest, LooksAtTheNextCallbackHoweverDearTheOneBeforeWas) {
  reader_.cpu = 100 * kMillisecond;
  Begin(50 * kMillisecond);
  Steps(1);
  EXPECT_EQ(reader_.locks.size(), 1U);
  Begin(50 * kMillisecond);
  Steps(1);
  EXPECT_EQ(reader_.locks.size(), 2U);
  // Not for ever.
  Begin(50 * kMillisecond);
  Steps(1);
  EXPECT_EQ(reader_.locks.size(), 2U);
}

}  // namespace
}  // namespace ct
