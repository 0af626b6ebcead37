#include "snapshot/snapshot.h"

#include <gtest/gtest.h>

#include "snapshot/enums.h"
#include "tests/unit/snapshot/equal.h"
#include "tests/unit/snapshot/story.h"

namespace ct {
namespace {

void ExpectSame(const testing::Told& told, const SnapshotContents& read) {
  const Observation& a = told.observation;
  const Observation& b = read.observation;
  EXPECT_EQ(a.host, b.host);
  EXPECT_EQ(a.tool_version, b.tool_version);
  EXPECT_EQ(a.begin, b.begin);
  EXPECT_EQ(a.end, b.end);
  EXPECT_EQ(a.realtime_offset, b.realtime_offset);
  EXPECT_EQ(a.filter, b.filter);
  EXPECT_EQ(a.spaces, b.spaces);
  EXPECT_EQ(a.processes, b.processes);
  EXPECT_EQ(a.actors, b.actors);
  EXPECT_EQ(a.resources, b.resources);
  EXPECT_EQ(a.waits, b.waits);
  EXPECT_EQ(a.holds, b.holds);
  EXPECT_EQ(a.uses, b.uses);
  EXPECT_TRUE(a.stacks == b.stacks);
  EXPECT_TRUE(a.modules == b.modules);
  EXPECT_EQ(a.contention, b.contention);
  EXPECT_EQ(a.swallowed_exceptions, b.swallowed_exceptions);
  EXPECT_EQ(a.never_awaited, b.never_awaited);
  EXPECT_EQ(a.loops, b.loops);
  EXPECT_EQ(a.hold_activity, b.hold_activity);
  EXPECT_EQ(a.losses, b.losses);
  EXPECT_EQ(a.degradations, b.degradations);
  EXPECT_EQ(a.cost, b.cost);
  EXPECT_EQ(told.findings, read.findings);
  EXPECT_EQ(testing::Whole(a, told.findings), testing::Whole(b, read.findings));
}

TEST(Snapshot, BringsEverythingBack) {
  const testing::Told told = testing::Everything();
  const auto read = Decode(Encode(told.observation, told.findings));
  ASSERT_TRUE(read) << read.error().message;
  ExpectSame(told, *read);
  EXPECT_EQ(read->format, (FormatInfo{.major = 1, .minor = 3}));
  EXPECT_EQ(FormatNote(read->format), "");
}

TEST(Snapshot, BringsEveryStoryBack) {
  for (auto* tell : {testing::TwoThreadDeadlock, testing::CrossProcessDeadlock, testing::TimedRing,
                     testing::ClosedWorld, testing::LongWaitInKernel, testing::WholeHost}) {
    const testing::Told told = tell();
    const auto read = Decode(Encode(told.observation, told.findings));
    ASSERT_TRUE(read) << read.error().message;
    ExpectSame(told, *read);
  }
}

// A histogram is mostly zeros.
TEST(Snapshot, LeavesOutTheEndOfAHistogramThatIsZero) {
  const testing::Told told = testing::Everything();
  const pb::Snapshot message = ToMessage(told.observation, told.findings);
  ASSERT_EQ(message.lock_contention_size(), 2);
  EXPECT_EQ(message.lock_contention(0).waits().histogram_size(), 32);
  EXPECT_EQ(message.lock_contention(1).waits().histogram_size(), 3);
}

TEST(Snapshot, KnowsNothingCountedFromNobodyWaited) {
  Observation observation;
  EXPECT_EQ(Decode(Encode(observation, {}))->observation.contention, Contention{});
  observation.contention.since = 5;
  EXPECT_EQ(Decode(Encode(observation, {}))->observation.contention, observation.contention);
}

TEST(Snapshot, KnowsNoAcquireFollowedFromNobodyHeldAnything) {
  Observation observation;
  EXPECT_EQ(Decode(Encode(observation, {}))->observation.hold_activity, HoldActivity{});
  observation.hold_activity.since = 5;
  EXPECT_EQ(Decode(Encode(observation, {}))->observation.hold_activity, observation.hold_activity);
}

TEST(Snapshot, AnEmptyObservationIsASnapshot) {
  const auto read = Decode(Encode(Observation{}, {}));
  ASSERT_TRUE(read) << read.error().message;
  ExpectSame({}, *read);
}

TEST(Snapshot, IsTheSameFileForTheSameContents) {
  const testing::Told told = testing::Everything();
  EXPECT_EQ(Encode(told.observation, told.findings), Encode(told.observation, told.findings));
}

TEST(Snapshot, BeginsWithItsMagic) {
  EXPECT_EQ(Encode(Observation{}, {}).substr(0, 9),
            "\x09"
            "CTSNAP\r\n");
}

TEST(Snapshot, CleansTexts) {
  testing::Story story;
  story.Process("a\x1b[2J\xff", 1);
  const auto read = Decode(Encode(story.observation, {}));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->observation.processes[0].name, "a?[2J?");
}

TEST(Snapshot, StoresEqualFramesOnce) {
  testing::Story story;
  for (int i = 0; i < 1000; ++i) story.Stack({"f@a.c:1", "main@a.c:9"});
  const pb::Snapshot message = ToMessage(story.observation, {});
  EXPECT_EQ(message.stacks_size(), 1000);
  EXPECT_EQ(message.frames_size(), 2);
  EXPECT_EQ(message.functions_size(), 2);
}

TEST(Snapshot, RefusesMoreMemoryThanAllowed) {
  testing::Story story;
  for (int i = 0; i < 1000; ++i) story.Stack({"f@a.c:1", "main@a.c:9"});
  const auto read = Decode(Encode(story.observation, {}), {.contents_bytes = 100'000});
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().message,
            "malformed: the contents would take more memory than a snapshot may");
}

// Every value of the model has a value of the format, and comes back.
template <class Model>
void ExpectAllValues(Model last) {
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    const auto value = static_cast<Model>(i);
    EXPECT_EQ(FromProto<Model>(ToProto(value)), value) << i;
  }
  EXPECT_EQ(kEnumTable<Model>.size(), static_cast<std::size_t>(last) + 1);
}

TEST(Enums, EveryValueOfTheModelIsInTheFormat) {
  ExpectAllValues(FrameOrigin::kPython);
  ExpectAllValues(StackEnd::kNotRead);
  ExpectAllValues(Verdict::kIdle);
  ExpectAllValues(ActorKind::kTask);
  ExpectAllValues(RunState::kExited);
  ExpectAllValues(ResourceKind::kObject);
  ExpectAllValues(Implementation::kCpython);
  ExpectAllValues(ReleaseRule::kAllHolders);
  ExpectAllValues(Abandoned::kUnreferenced);
  ExpectAllValues(Evidence::kCertain);
  ExpectAllValues(AccessMode::kShared);
  ExpectAllValues(Continuity::kStill);
  ExpectAllValues(WaitPurpose::kJoin);
  ExpectAllValues(FindingKind::kGilContention);
  ExpectAllValues(BlockCause::kStopped);
  ExpectAllValues(Ending::kMayEnd);
}

TEST(Enums, AnUnknownValueIsReadAsTheOneThatClaimsLeast) {
  EXPECT_EQ(CautiousValue<Ending>(), Ending::kMayEnd);
  EXPECT_EQ(CautiousValue<Evidence>(), Evidence::kUnknown);
  EXPECT_EQ(CautiousValue<Continuity>(), Continuity::kSeenOnce);
  EXPECT_EQ(CautiousValue<WaitPurpose>(), WaitPurpose::kEvent);
  EXPECT_EQ(CautiousValue<StackEnd>(), StackEnd::kNotRead);
  EXPECT_EQ(CautiousValue<ResourceKind>(), ResourceKind::kFutex);
}

}  // namespace
}  // namespace ct
