#include "locks/futex_call.h"

#include <gtest/gtest.h>

#include "tests/unit/locks/fakes.h"

namespace ct {
namespace {

constexpr std::uint64_t kWord = 0x1000;
constexpr std::uint64_t kTimeout = 0x2000;

struct FutexCallTest : testing::Test {
  std::optional<FutexCall> Parse() { return ParseFutexCall(scene.thread, scene.memory); }
  void WriteTimeout(std::int64_t seconds, std::int64_t nanoseconds) {
    scene.memory.WriteAll(kTimeout, {seconds, nanoseconds});
  }
  Scene scene;
};

TEST_F(FutexCallTest, OtherSystemCallsAndOperationsAreNoWait) {
  scene.thread.syscall = 0;
  EXPECT_FALSE(Parse());
  scene.thread.syscall = -1;
  EXPECT_FALSE(Parse());
  for (const std::uint64_t op : {1, 3, 4, 5, 7, 8, 10, 12, 14, 129}) {
    scene.Futex(kWord, op, 0);
    EXPECT_FALSE(Parse()) << op;
  }
}

TEST_F(FutexCallTest, AWordThatTheKernelWouldRefuseIsNoWait) {
  scene.Futex(0, kWaitPrivate, 2);
  EXPECT_FALSE(Parse());
  scene.Futex(kWord + 1, kWaitPrivate, 2);
  EXPECT_FALSE(Parse());
}

TEST_F(FutexCallTest, WaitHasARelativeTimeout) {
  WriteTimeout(1, 500'000'000);
  scene.Futex(kWord, kWait, 7, kTimeout);
  const auto call = Parse();
  ASSERT_TRUE(call);
  EXPECT_EQ(call->op, FutexOp::kWait);
  EXPECT_EQ(call->word, kWord);
  EXPECT_EQ(call->expected, 7u);
  EXPECT_FALSE(call->private_futex);
  EXPECT_TRUE(call->timed);
  EXPECT_FALSE(call->absolute);
  EXPECT_EQ(call->timeout_ns, 1'500'000'000);
}

TEST_F(FutexCallTest, WaitBitsetHasAnAbsoluteTimeoutOnTheClockOfItsFlag) {
  WriteTimeout(100, 1);
  scene.Futex(kWord, kWaitBitsetPrivateRealtime, 0, kTimeout);
  auto call = Parse();
  ASSERT_TRUE(call);
  EXPECT_EQ(call->op, FutexOp::kWaitBitset);
  EXPECT_TRUE(call->private_futex);
  EXPECT_TRUE(call->absolute);
  EXPECT_TRUE(call->realtime);
  EXPECT_EQ(call->timeout_ns, 100'000'000'001);
  scene.Futex(kWord, kWaitBitsetPrivate, 0, kTimeout);
  call = Parse();
  ASSERT_TRUE(call);
  EXPECT_FALSE(call->realtime);
}

TEST_F(FutexCallTest, LockPiIsAlwaysRealtimeAndLockPi2ChoosesItsClock) {
  scene.Futex(kWord, kLockPiPrivate, 0);
  EXPECT_TRUE(Parse()->realtime);
  EXPECT_FALSE(Parse()->HasExpected());
  scene.Futex(kWord, kLockPi2Private, 0);
  EXPECT_EQ(Parse()->op, FutexOp::kLockPi);
  EXPECT_FALSE(Parse()->realtime);
}

TEST_F(FutexCallTest, AnUnreadableOrSenselessTimeoutIsStillATimeout) {
  scene.Futex(kWord, kWait, 0, 0xdead000);
  EXPECT_TRUE(Parse()->timed);
  EXPECT_EQ(Parse()->timeout_ns, std::nullopt);
  scene.Futex(kWord, kWait, 0, kTimeout);
  for (const auto& [seconds, nanoseconds] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {-1, 0}, {0, -1}, {0, 1'000'000'000}, {INT64_MAX, 0}, {9'223'372'036, 999'999'999}}) {
    WriteTimeout(seconds, nanoseconds);
    EXPECT_TRUE(Parse()->timed);
    EXPECT_EQ(Parse()->timeout_ns, std::nullopt) << seconds << " " << nanoseconds;
  }
}

TEST_F(FutexCallTest, FutexWaitOfLinux67) {
  WriteTimeout(5, 0);
  scene.thread.syscall = 455;
  scene.thread.arguments = {kWord, 3, 0xffffffff, 2 | 128, kTimeout, 1};
  const auto call = Parse();
  ASSERT_TRUE(call);
  EXPECT_EQ(call->op, FutexOp::kFutex2);
  EXPECT_EQ(call->expected, 3u);
  EXPECT_TRUE(call->private_futex);
  EXPECT_FALSE(call->realtime);
  EXPECT_EQ(call->timeout_ns, 5'000'000'000);
  scene.thread.arguments[3] = 0;  // an 8-bit futex: not there yet
  EXPECT_FALSE(Parse());
}

TEST_F(FutexCallTest, FutexWaitvShowsItsFirstWordAndHowManyThereAre) {
  scene.memory.WriteAll<std::uint64_t>(0x3000, {9, kWord, 2 | 128});
  scene.thread.syscall = 449;
  scene.thread.arguments = {0x3000, 3, 0, 0, 0, 0};
  const auto call = Parse();
  ASSERT_TRUE(call);
  EXPECT_EQ(call->word, kWord);
  EXPECT_EQ(call->expected, 9u);
  EXPECT_EQ(call->words, 3u);
  EXPECT_TRUE(call->private_futex);
  scene.thread.arguments[1] = 129;  // FUTEX_WAITV_MAX is 128
  EXPECT_FALSE(Parse());
}

struct RestartTest : FutexCallTest {
  void SetUp() override {
    WriteTimeout(5, 0);
    scene.memory.Write<std::uint32_t>(kWord, 7);
    scene.Futex(kWord, kWaitPrivate, 7, kTimeout);
    scene.thread.syscall = 219;
  }
};

TEST_F(RestartTest, GoesOnWithTheArgumentsInTheRegisters) {
  const auto call = Parse();
  ASSERT_TRUE(call);
  EXPECT_TRUE(call->restarted);
  EXPECT_EQ(call->expected, 7u);
}

TEST_F(RestartTest, IsRefusedWithoutATimeout) {
  scene.thread.arguments[3] = 0;
  EXPECT_FALSE(Parse());
}

TEST_F(RestartTest, IsRefusedWhenTheWordDiffers) {
  scene.memory.Write<std::uint32_t>(kWord, 8);
  EXPECT_FALSE(Parse());
}

TEST_F(RestartTest, IsRefusedForAnOperationThatIsNotRestarted) {
  scene.thread.arguments[1] = kLockPiPrivate;
  EXPECT_FALSE(Parse());
}

TEST_F(RestartTest, IsRefusedForABitsetWithoutBits) {
  scene.thread.arguments[1] = kWaitBitsetPrivate;
  EXPECT_TRUE(Parse());
  scene.thread.arguments[5] = 0;
  EXPECT_FALSE(Parse());
}

// nanosleep(&request, nullptr) has the same shape as FUTEX_WAIT; only frames tell them apart.
TEST_F(RestartTest, IsNoFutexWhenTheFramesAreOfSomethingElse) {
  scene.frames = Frames({"__nanosleep", "main"});
  EXPECT_FALSE(scene.Decode());
  scene.frames = Frames({"__futex_abstimed_wait_common64", "sem_timedwait", "main"});
  EXPECT_TRUE(scene.Decode());
}

}  // namespace
}  // namespace ct
