#include <gtest/gtest.h>

#include "tests/unit/detect/findings.h"

namespace ct {
namespace {

constexpr std::uint32_t kLine = 88;

// Iterations of the loop of thread 0 that stood in `function`, at this line, below asyncio.
LoopBlock Block(Observation& observation, BlockCause cause, const std::string& function,
                DurationNs worst, std::uint32_t line = kLine) {
  Frame library;
  library.origin = FrameOrigin::kPython;
  library.function = "run";
  library.file = "/usr/lib/python3.11/subprocess.py";
  Frame own = library;
  own.function = function;
  own.file = "/srv/shop/images.py";
  own.line = line;
  observation.stacks.push_back({{library, own, library}, StackEnd::kComplete});
  LoopBlock block;
  block.thread = 0;
  block.cause = cause;
  block.evidence = Evidence::kCertain;
  block.stack = static_cast<StackIndex>(observation.stacks.size() - 1);
  block.count = 2;
  block.worst = worst;
  block.total = 2 * worst;
  block.first_begin = testing::kNow - 10 * worst;
  return block;
}

TEST(BlockedLoop, OneFindingForALineAndACause) {
  Observation observation = testing::Observe("loop: runs\nother: runs\n");
  auto& blocks = observation.loops.blocks;
  blocks.push_back(Block(observation, BlockCause::kSyscall, "resize", 120 * kMillisecond));
  blocks.push_back(Block(observation, BlockCause::kSyscall, "resize", 400 * kMillisecond));
  blocks.push_back(Block(observation, BlockCause::kLock, "resize", 130 * kMillisecond));
  blocks.push_back(Block(observation, BlockCause::kSyscall, "resize", 140 * kMillisecond, 90));
  const std::vector<Finding> findings = Detect(observation);
  ASSERT_EQ(findings.size(), 3U);
  for (const Finding& finding : findings) {
    EXPECT_EQ(finding.kind, FindingKind::kEventLoopBlocked);
    EXPECT_EQ(finding.members, std::vector<ActorIndex>{0});
    EXPECT_EQ(finding.ending, Ending::kMayEnd);
    EXPECT_FALSE(IsHang(finding.kind));
  }
  EXPECT_EQ(findings[0].loop_blocks, (std::vector<LoopBlockIndex>{1, 0})) << "the longest first";
  EXPECT_EQ(findings[0].since, testing::kNow - 4 * kSecond);
}

// Code that computes is caught at another line each time.
TEST(BlockedLoop, PythonCodeIsOneFindingForAFunction) {
  Observation observation = testing::Observe("loop: runs\n");
  auto& blocks = observation.loops.blocks;
  blocks.push_back(Block(observation, BlockCause::kPython, "resize", 120 * kMillisecond, 10));
  blocks.push_back(Block(observation, BlockCause::kPython, "resize", 130 * kMillisecond, 11));
  blocks.push_back(Block(observation, BlockCause::kPython, "crop", 110 * kMillisecond, 20));
  EXPECT_EQ(Detect(observation).size(), 2U);
}

TEST(BlockedLoop, WhatADeadlockSaysIsNotSaidAgain) {
  Observation observation = testing::Observe("loop: holds A, waits B\nother: holds B, waits A\n");
  LoopBlock now = Block(observation, BlockCause::kLock, "resize", 5 * kSecond);
  now.in_progress = true;
  observation.loops.blocks.push_back(now);
  ASSERT_EQ(Detect(observation).size(), 1U);
  EXPECT_EQ(Detect(observation)[0].kind, FindingKind::kDeadlock);
  observation.loops.blocks[0].in_progress = false;
  EXPECT_EQ(Detect(observation).size(), 2U) << "it ended, and was another";
}

TEST(BlockedLoop, WhatNobodySawAccusesNobody) {
  Observation observation = testing::Observe("loop: runs\n");
  observation.loops.blocks.push_back(
      Block(observation, BlockCause::kUnknown, "resize", 120 * kMillisecond));
  EXPECT_TRUE(Detect(observation).empty());
}

TEST(BlockedLoop, ToleratesRowsOfNobody) {
  Observation observation = testing::Observe("loop: runs\n");
  LoopBlock block = Block(observation, BlockCause::kLock, "resize", kSecond);
  block.thread = 7;
  observation.loops.blocks.push_back(block);
  block.thread = kNoIndex;
  observation.loops.blocks.push_back(block);
  EXPECT_TRUE(Detect(observation).empty());
  block.thread = 0;
  block.stack = 99;
  observation.loops.blocks.push_back(block);
  EXPECT_EQ(Detect(observation).size(), 1U);
}

}  // namespace
}  // namespace ct
