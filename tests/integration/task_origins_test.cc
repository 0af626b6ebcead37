// The kernel side of task origins: a function of this process is called as asyncio's tasks are
// initialized, by threads whose "Python frames" are bytes that the test has laid out.
#include "kernel/task_origins.h"

#include <pthread.h>
#include <unistd.h>

#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/integration/harness.h"

namespace ct::test {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// What is probed; as tp_init it gets the task first.
__attribute__((noinline, used)) void InitTask(void* task) {
  asm volatile("nop\n\tnop" : : "r"(task) : "memory");
}

bool HasBreakpoint() {
  constexpr std::uint8_t kInt3 = 0xcc;
  return *reinterpret_cast<const volatile std::uint8_t*>(&InitTask) == kInt3;
}

// Bytes at any offset.
struct Bytes {
  alignas(8) std::array<std::byte, 128> bytes{};
  void Put(std::size_t at, std::uint64_t value) {
    std::memcpy(bytes.data() + at, &value, sizeof(value));
  }
  [[nodiscard]] std::uint64_t address() const {
    return reinterpret_cast<std::uint64_t>(bytes.data());
  }
};

// As 3.13 has them.
constexpr std::uint32_t kIdent = 40;
constexpr std::uint32_t kFrame = 72;
constexpr std::uint32_t kCode = 0;
constexpr std::uint32_t kPrevious = 8;
constexpr std::uint32_t kInstruction = 56;
constexpr std::uint32_t kOwner = 70;

constexpr std::uint64_t kCodes = 0x10'0000'0000;  // of no frame is it read

class Origins : public ::testing::Test {
 protected:
  Origins() {
    auto tracer = TaskOriginTracer::Load();
    if (!tracer) throw std::runtime_error(tracer.error().message);
    tracer_ = std::move(*tracer);
    thread_.Put(kIdent, static_cast<std::uint64_t>(pthread_self()));
    gil_.Put(8, thread_.address());
  }

  [[nodiscard]] TaskProbe Probe() const {
    TaskProbe probe;
    probe.address = reinterpret_cast<std::uint64_t>(&InitTask);
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      std::uint64_t begin = 0, end = 0, offset = 0;
      if (sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &begin, &end, &offset) !=
          3) {
        continue;
      }
      if (probe.address < begin || probe.address >= end) continue;
      probe.map_begin = begin;
      probe.map_end = end;
      probe.file_offset = probe.address - begin + offset;
    }
    struct stat status {};
    if (stat("/proc/self/exe", &status) != 0) throw std::runtime_error("stat");
    probe.inode = status.st_ino;
    probe.frames.last_holder = gil_.address() + 8;
    probe.frames.thread_ident = kIdent;
    probe.frames.thread_frame = kFrame;
    probe.frames.code_mask = ~3ULL;
    probe.frames.frame_code = kCode;
    probe.frames.frame_previous = kPrevious;
    probe.frames.frame_instruction = kInstruction;
    probe.frames.frame_owner = kOwner;
    probe.frames.last_python_owner = 2;
    return probe;
  }
  void Follow(const TaskProbe& probe) {
    const Status status = tracer_->Add(getpid(), probe);
    if (!status) throw std::runtime_error(status.error().message);
  }
  void Follow() { Follow(Probe()); }

  // Codes by number, innermost first; 0: a frame of the interpreter's own.
  void SetStack(const std::vector<std::uint64_t>& codes) {
    frames_.clear();
    std::uint64_t previous = 0;
    for (auto code = codes.rbegin(); code != codes.rend(); ++code) {
      auto frame = std::make_unique<Bytes>();
      const bool own = *code == 0;
      frame->Put(kCode, (kCodes + *code * 4096) | 1);  // with a tag
      frame->Put(kPrevious, previous);
      frame->Put(kInstruction, kCodes + *code * 4096 + 200 + 2 * *code);
      frame->bytes[kOwner] = std::byte{static_cast<std::uint8_t>(own ? 3 : 1)};
      previous = frame->address();
      frames_.push_back(std::move(frame));
    }
    thread_.Put(kFrame, previous);
  }
  static CodePoint Point(std::uint64_t code) {
    return {kCodes + code * 4096, static_cast<std::uint32_t>(200 + 2 * code)};
  }
  static void Make(std::uint64_t task) { InitTask(reinterpret_cast<void*>(task)); }

  std::vector<CodePoint> StackOf(std::uint64_t task) {
    const auto origin = tracer_->OriginOf(getpid(), task);
    const auto stack = origin ? tracer_->StackOf(getpid(), origin->stack) : std::nullopt;
    return stack ? stack->frames : std::vector<CodePoint>();
  }
  TaskOriginCounters Counters() {
    const auto counters = tracer_->Counters();
    if (!counters) throw std::runtime_error(counters.error().message);
    return *counters;
  }

  std::unique_ptr<TaskOriginTracer> tracer_;
  Bytes gil_, thread_;
  std::vector<std::unique_ptr<Bytes>> frames_;
};

constexpr std::uint64_t kTask = 0x7f00'0000'1000;
constexpr std::uint64_t kOther = 0x7f00'0000'2000;

TEST_F(Origins, EachTaskHasTheStackThatMadeIt) {
  Follow();
  SetStack({1, 0, 2, 3});
  const TimeNs before = MonotonicNow();
  Make(kTask);
  SetStack({4, 2, 3});
  Make(kOther);
  EXPECT_THAT(StackOf(kTask), ElementsAre(Point(1), Point(2), Point(3)));
  EXPECT_THAT(StackOf(kOther), ElementsAre(Point(4), Point(2), Point(3)));
  const auto origin = tracer_->OriginOf(getpid(), kTask);
  ASSERT_TRUE(origin);
  EXPECT_GE(origin->made_at, before);
  EXPECT_LE(origin->made_at, MonotonicNow());
  EXPECT_FALSE(tracer_->StackOf(getpid(), origin->stack)->truncated);
  EXPECT_EQ(Counters().made, 2U);
}

TEST_F(Origins, EqualStacksAreKeptOnce) {
  Follow();
  SetStack({1, 2});
  Make(kTask);
  SetStack({1, 2});  // of other frames
  Make(kOther);
  EXPECT_EQ(tracer_->OriginOf(getpid(), kTask)->stack, tracer_->OriginOf(getpid(), kOther)->stack);
}

TEST_F(Origins, AYoungerTaskAtAnAddressIsTheOneThatIsTold) {
  Follow();
  SetStack({1});
  Make(kTask);
  SetStack({2});
  Make(kTask);
  EXPECT_THAT(StackOf(kTask), ElementsAre(Point(2)));
}

TEST_F(Origins, ADeepStackIsCutAtItsOuterEnd) {
  Follow();
  std::vector<std::uint64_t> codes;
  for (std::uint64_t i = 1; i <= 40; ++i) codes.push_back(i);
  SetStack(codes);
  Make(kTask);
  const auto origin = tracer_->OriginOf(getpid(), kTask);
  ASSERT_TRUE(origin);
  const auto stack = tracer_->StackOf(getpid(), origin->stack);
  ASSERT_TRUE(stack);
  EXPECT_TRUE(stack->truncated);
  ASSERT_THAT(stack->frames, SizeIs(24));
  EXPECT_EQ(stack->frames.front(), Point(1));
  EXPECT_EQ(stack->frames.back(), Point(24));
}

TEST_F(Origins, AStackWithoutAnEndEnds) {
  Follow();
  SetStack({1});
  frames_.front()->Put(kPrevious, frames_.front()->address());
  Make(kTask);
  EXPECT_THAT(StackOf(kTask), SizeIs(24));
}

TEST_F(Origins, FramesBehindACframe) {  // as up to 3.12
  TaskProbe probe = Probe();
  probe.frames.behind_cframe = true;
  probe.frames.cframe_frame = 8;
  Follow(probe);
  SetStack({1, 2});
  Bytes cframe;
  cframe.Put(8, frames_.back()->address());
  thread_.Put(kFrame, cframe.address());
  Make(kTask);
  EXPECT_THAT(StackOf(kTask), ElementsAre(Point(1), Point(2)));
}

// What was known of the address is of another task then.
TEST_F(Origins, ATaskOfAThreadThatHasNotTheGilIsNotKnown) {
  Follow();
  SetStack({1});
  Make(kTask);
  std::thread([] { Make(kTask); }).join();
  EXPECT_FALSE(tracer_->OriginOf(getpid(), kTask));
  EXPECT_EQ(Counters().lost_thread, 1U);
}

TEST_F(Origins, FramesThatCannotBeReadAreCounted) {
  Follow();
  thread_.Put(kFrame, 8);
  Make(kTask);
  EXPECT_FALSE(tracer_->OriginOf(getpid(), kTask));
  EXPECT_EQ(Counters().lost_frame, 1U);
  SetStack({1, 2});
  frames_.front()->Put(kPrevious, 8);  // the outer one's
  Make(kTask);
  EXPECT_THAT(StackOf(kTask), ElementsAre(Point(1), Point(2)));
}

TEST_F(Origins, MoreStacksThanAreKeptAreCounted) {
  constexpr std::uint64_t kKept = 4096;
  Follow();
  for (std::uint64_t i = 1; i <= kKept + 10; ++i) {
    SetStack({i});
    Make(kTask + 64 * i);
  }
  EXPECT_EQ(Counters().lost_stack, 10U);
  EXPECT_THAT(StackOf(kTask + 64), ElementsAre(Point(1)));
  // Those of a process that is not followed any more make room.
  tracer_->Remove(getpid());
  EXPECT_THAT(StackOf(kTask + 64), ElementsAre());
  Follow();
  SetStack({kKept + 20});
  Make(kOther);
  EXPECT_THAT(StackOf(kOther), ElementsAre(Point(kKept + 20)));
  EXPECT_EQ(Counters().lost_stack, 10U);
}

TEST_F(Origins, ItsBreakpointGoesWithIt) {
  EXPECT_FALSE(HasBreakpoint());
  Follow();
  EXPECT_TRUE(HasBreakpoint());
  EXPECT_TRUE(tracer_->IsAlive(getpid()));
  tracer_->Remove(getpid());
  EXPECT_FALSE(HasBreakpoint());
  EXPECT_FALSE(tracer_->IsAlive(getpid()));
  Follow();
  tracer_.reset();
  EXPECT_FALSE(HasBreakpoint());
  Make(kTask);
}

// By a reader that cannot be trusted, or a mapping that is another by now.
TEST_F(Origins, AProbeThatCannotBeIsRefused) {
  TaskProbe probe = Probe();
  probe.frames.frame_previous = 76;
  EXPECT_FALSE(tracer_->Add(getpid(), probe));
  probe = Probe();
  ++probe.inode;
  EXPECT_FALSE(tracer_->Add(getpid(), probe));
  probe = Probe();
  probe.map_end += 4096;
  EXPECT_FALSE(tracer_->Add(getpid(), probe));
  EXPECT_FALSE(HasBreakpoint());
}

}  // namespace
}  // namespace ct::test
