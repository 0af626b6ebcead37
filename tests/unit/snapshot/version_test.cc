// Files of other versions, and files that were appended to.
#include <gtest/gtest.h>

#include "snapshot/envelope.h"
#include "snapshot/message.h"
#include "snapshot/snapshot.h"
#include "tests/unit/snapshot/equal.h"
#include "tests/unit/snapshot/story.h"

namespace ct {
namespace {

pb::Snapshot Message() {
  const testing::Told told = testing::Everything();
  return ToMessage(told.observation, told.findings);
}

std::string Closed(std::string file) {
  AppendTrailer(file);
  return file;
}

TEST(Version, ANewerMajorVersionIsRefused) {
  pb::Snapshot message = Message();
  message.set_format_major(2);
  message.set_format_minor(7);
  const auto read = Decode(message.SerializeAsString() + "a trailer of another kind");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(read.error().message,
            "written in format 2.7; this program reads up to 1.x: use a newer concurrency-tracer");
}

TEST(Version, ANewerMinorVersionIsReadAndSaidToBeNewer) {
  pb::Snapshot message = Message();
  message.set_format_minor(4);
  std::string file = message.SerializeAsString();
  // A table, and a field of a known one, that version 1.4 may have added.
  pb::Snapshot more;
  more.GetReflection()->MutableUnknownFields(&more)->AddLengthDelimited(31,
                                                                        "a row of another table");
  auto* module = more.add_modules();
  module->GetReflection()->MutableUnknownFields(module)->AddVarint(1000, 5);
  file += more.SerializeAsString();

  const auto read = Decode(Closed(file));
  ASSERT_TRUE(read) << read.error().message;
  testing::Told told = testing::Everything();
  told.observation.modules.emplace_back();
  EXPECT_EQ(testing::Whole(read->observation, read->findings),
            testing::Whole(told.observation, told.findings));
  EXPECT_EQ(read->format,
            (FormatInfo{.major = 1, .minor = 4, .newer = true, .unknown_records = 1}));
  EXPECT_EQ(FormatNote(read->format),
            "written in format 1.4, this program knows 1.3; a newer concurrency-tracer shows more");
}

TEST(Version, UnknownEnumValuesAreReadWithCaution) {
  pb::Snapshot message = Message();
  message.set_format_minor(4);
  message.mutable_findings(0)->set_kind(static_cast<pb::FindingKind>(99));
  message.mutable_findings(1)->set_ending(static_cast<pb::Ending>(99));
  message.mutable_resources(0)->set_kind(static_cast<pb::ResourceKind>(99));
  const auto read = Decode(Closed(message.SerializeAsString()));
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->findings.size(), 1U);
  EXPECT_EQ(read->findings[0].ending, Ending::kMayEnd);
  EXPECT_EQ(read->observation.resources[0].kind, ResourceKind::kFutex);
  EXPECT_EQ(FormatNote(read->format),
            "written in format 1.4, this program knows 1.3; 1 findings of kinds it does not know "
            "are not shown; 2 values it does not know are shown as unknown; a newer "
            "concurrency-tracer shows more");
}

TEST(Version, FinerHistogramsAreReadAsFarAsTheyAreKnown) {
  pb::Snapshot message = Message();
  message.set_format_minor(4);
  message.mutable_lock_contention(0)->mutable_waits()->add_histogram(5);
  const auto read = Decode(Closed(message.SerializeAsString()));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->observation.contention, testing::Everything().observation.contention);
  EXPECT_EQ(read->format.unknown_values, 1U);
}

TEST(Version, AFileFromBeforeWaitsWereCountedHasNoContention) {
  pb::Snapshot message = Message();
  message.set_format_minor(0);
  message.clear_lock_contention();
  message.clear_gil_contention();
  message.clear_event_loops();
  message.clear_loop_blocks();
  message.mutable_observations(0)->clear_loop_threshold_duration_ns();
  message.mutable_observations(0)->clear_loops_since_ns();
  for (auto& finding : *message.mutable_findings()) finding.clear_loop_blocks();
  message.mutable_observations(0)->clear_contention_since_ns();
  message.mutable_observations(0)->clear_min_wait_duration_ns();
  const auto read = Decode(Closed(message.SerializeAsString()));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->observation.contention, Contention{});
  EXPECT_EQ(read->observation.loops, LoopActivity{});
  EXPECT_EQ(FormatNote(read->format), "");
}

TEST(Version, AFileFromBeforeHoldsWereFollowedHasNone) {
  pb::Snapshot message = Message();
  message.set_format_minor(2);
  message.clear_lock_orders();
  message.clear_long_holds();
  message.clear_resource_holds();
  message.mutable_observations(0)->clear_holds_since_ns();
  message.mutable_observations(0)->clear_long_hold_duration_ns();
  message.mutable_resources(0)->clear_high_water();
  for (auto& finding : *message.mutable_findings()) {
    finding.clear_orders();
    finding.clear_long_holds();
  }
  const auto read = Decode(Closed(message.SerializeAsString()));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->observation.hold_activity, HoldActivity{});
  EXPECT_EQ(read->observation.resources[0].high_water, std::nullopt);
  EXPECT_EQ(FormatNote(read->format), "");
}

TEST(Version, ANewerTrailerMayCountMoreTables) {
  std::string file = Message().SerializeAsString();
  const std::string closed = Closed(file);
  pb::Snapshot end;
  ASSERT_TRUE(end.ParseFromString(closed.substr(file.size())));
  pb::Trailer& trailer = *end.mutable_trailer();
  trailer.GetReflection()->MutableUnknownFields(&trailer)->AddVarint(31, 12);
  EXPECT_TRUE(Decode(file + end.SerializeAsString()));
}

TEST(Version, ChunksCanBeAppended) {
  const std::string first = Closed(Message().SerializeAsString());
  pb::Snapshot chunk;
  chunk.add_strings("late");
  const auto index = static_cast<std::uint32_t>(Message().strings_size());
  chunk.add_modules()->set_path(index);
  const auto read = Decode(Closed(first + chunk.SerializeAsString()));
  ASSERT_TRUE(read) << read.error().message;
  testing::Told told = testing::Everything();
  told.observation.modules.push_back({"late", "", false});
  EXPECT_EQ(testing::Whole(read->observation, read->findings),
            testing::Whole(told.observation, told.findings));
}

TEST(Version, AHalfAppendedChunkIsATruncatedFile) {
  std::string file = Closed(Message().SerializeAsString());
  pb::Snapshot chunk;
  chunk.add_strings("late");
  file += chunk.SerializeAsString();
  const auto read = Decode(file);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().message.rfind("truncated: ", 0), 0U) << read.error().message;
}

TEST(Version, TheWholeFileIsOneMessage) {
  pb::Snapshot parsed;
  ASSERT_TRUE(parsed.ParseFromString(Closed(Message().SerializeAsString())));
  EXPECT_EQ(parsed.trailer().actors(), 13U);
  EXPECT_EQ(parsed.trailer().waits(), 12U);
  EXPECT_EQ(parsed.trailer().lock_contention(), 2U);
  parsed.clear_trailer();
  EXPECT_EQ(parsed.DebugString(), Message().DebugString());
}

}  // namespace
}  // namespace ct
