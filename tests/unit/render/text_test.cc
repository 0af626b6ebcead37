// What golden files cannot say: properties of every text.
#include "render/text.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "detect/detect.h"
#include "render/table.h"
#include "render/words.h"
#include "tests/unit/snapshot/story.h"

namespace ct {
namespace {

const RenderOptions kEverything{
    .full = true, .all = true, .color = false, .pretty = false, .notes = {}};

bool HasControlCharacter(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\n') || byte == 0x7f;
  });
}

TEST(Text, PrintsNoControlCharacterOfATarget) {
  const testing::Told told = testing::HostileNames();
  const std::string text = RenderText(told.observation, told.findings, kEverything);
  EXPECT_FALSE(HasControlCharacter(text)) << text;
  EXPECT_EQ(text.find("\xc2\x9b"), std::string::npos);
  EXPECT_EQ(text.find("\u202e"), std::string::npos);
}

TEST(Text, NoNameStartsALine) {
  const testing::Told told = testing::HostileNames();
  const std::string text = RenderText(told.observation, told.findings, {});
  EXPECT_EQ(text.find("\nDEADLOCK"), std::string::npos);
}

TEST(Text, BoundsWhatOneNameCanTake) {
  const testing::Told told = testing::HostileNames();
  EXPECT_LT(RenderText(told.observation, told.findings, {}).size(), 8'000U);
}

TEST(Text, BoundsHowManyRowsAFindingTakes) {
  testing::Story story;
  const auto process = story.Process("svc", 1);
  Finding finding;
  finding.kind = FindingKind::kDeadlock;
  for (int i = 0; i < 5000; ++i) {
    const std::string place = "f" + std::to_string(i) + "@a.c:1";
    const auto thread = story.Thread(process, "t", 100 + i, story.Stack({place}));
    const auto lock = story.Mutex("m", "l" + std::to_string(i));
    story.Wait(thread, lock, kSecond);
    if (i < 2500) story.Hold(thread, lock);
    finding.members.push_back(thread);
    finding.resources.push_back(lock);
  }
  const std::string text = RenderText(story.observation, std::vector{finding}, {});
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 80);
  EXPECT_THAT(text, ::testing::HasSubstr("  and 2484 more\n"));
  EXPECT_THAT(text, ::testing::HasSubstr("  and at 2484 more places\n"));
}

TEST(Text, CountsTheFindingsItDoesNotShow) {
  testing::Told told = testing::SelfDeadlock();
  told.findings.resize(60, told.findings.front());
  EXPECT_THAT(RenderText(told.observation, told.findings, {}),
              ::testing::HasSubstr("\nand 10 more findings, shown with --full\n"));
}

TEST(Text, ToleratesIndicesThatLeadNowhere) {
  Finding finding;
  finding.kind = FindingKind::kDeadlock;
  finding.members = {5, -1};
  finding.blocked_behind = {9};
  finding.resources = {3, -1};
  finding.ring = {{7, 7}, {kNoIndex, kNoIndex}};
  finding.chain = {{8, 8}};
  finding.root = 4;
  finding.since = INT64_MIN;
  finding.ends_at = INT64_MAX;
  finding.ending = Ending::kTimeout;
  Observation observation;
  observation.actors.emplace_back().user_stack = 12;
  observation.waits.emplace_back().actor = 3;
  observation.holds.emplace_back().resource = 9;
  EXPECT_THAT(RenderText(observation, std::vector{finding}, kEverything),
              ::testing::StartsWith("DEADLOCK  2 threads   unknown · "));
}

TEST(Text, ToleratesStepsAndHoldsThatLeadNowhere) {
  testing::Told told = testing::Inversion();
  Finding inversion;
  inversion.kind = FindingKind::kLockOrderInversion;
  inversion.orders = {{7, 0}, {0, 5}, {-1, -1}, {1, -1}, {1, 0}};
  inversion.resources = {17, -1};
  inversion.proof = {"one"};
  LockOrder& order = told.observation.hold_activity.orders[1];
  order.held = 77;
  order.wanted = -1;
  order.process = 12;
  order.sightings[0].held_at = 1000;
  order.sightings[0].wanted_at = -5;
  Finding hold;
  hold.kind = FindingKind::kLongHold;
  hold.long_holds = {3, -1, 0, 1};
  told.observation.hold_activity.long_holds.resize(2);
  told.observation.hold_activity.long_holds[0].duration = INT64_MAX;
  told.observation.hold_activity.long_holds[1].duration = INT64_MAX;
  told.observation.hold_activity.resources.resize(2);
  told.observation.hold_activity.since = INT64_MIN / 4;
  const std::string text = RenderText(told.observation, std::vector{inversion, hold}, kEverything);
  EXPECT_THAT(text, ::testing::StartsWith("LOCK_ORDER_INVERSION  2 locks, 5 threads: "));
  EXPECT_THAT(text, ::testing::HasSubstr("LONG_HOLD  ?: 2 times, "));
}

TEST(Text, OfHoldsPrintsNoControlCharacterOfATarget) {
  const std::string evil = "\x1b[2J\nDEADLOCK  fake";
  testing::Told told = testing::Inversion();
  for (LockOrder& order : told.observation.hold_activity.orders) {
    for (LockOrderSighting& sighting : order.sightings) sighting.thread_name = evil;
  }
  for (Resource& resource : told.observation.resources) resource.symbol = evil;
  for (Stack& stack : told.observation.stacks) {
    for (Frame& frame : stack.frames) frame.function += evil;
  }
  LongHold hold;
  hold.resource = hold.process = 0;
  hold.thread_name = evil;
  hold.evidence = Evidence::kCertain;
  told.observation.hold_activity.long_holds = {hold};
  told.observation.hold_activity.resources = {{0, 0, {}, 1}};
  const std::string text = RenderText(told.observation, Detect(told.observation), kEverything);
  EXPECT_THAT(text, ::testing::HasSubstr("LOCK_ORDER_INVERSION"));
  EXPECT_THAT(text, ::testing::HasSubstr("LONG_HOLD"));
  EXPECT_THAT(text, ::testing::Not(::testing::HasSubstr("\x1b")));
  EXPECT_THAT(text, ::testing::Not(::testing::HasSubstr("\nDEADLOCK")));
}

TEST(Text, ToleratesARingWithoutResources) {
  testing::Told told = testing::SelfDeadlock();
  told.findings.front().resources.clear();
  EXPECT_THAT(RenderText(told.observation, told.findings, {}),
              ::testing::StartsWith("DEADLOCK  1 thread   certain · "));
}

TEST(Text, EndedFindingsSaySo) {
  testing::Told told = testing::SelfDeadlock();
  told.findings.front().ended = true;
  EXPECT_THAT(RenderText(told.observation, told.findings, {}),
              ::testing::HasSubstr("certain · has ended · "));
}

TEST(SnapshotLine, NamesTheFile) {
  EXPECT_EQ(SnapshotLine("ct-db3-977-20261122T140923Z.pb", 84 * kMillisecond),
            "snapshot  ct-db3-977-20261122T140923Z.pb   84 ms, target not stopped");
}

TEST(Plural, KnowsItsNouns) {
  EXPECT_EQ(Plural(1, "mutex"), "1 mutex");
  EXPECT_EQ(Plural(2, "mutex"), "2 mutexes");
  EXPECT_EQ(Plural(0, "thread"), "0 threads");
}

TEST(Table, AlignsColumnsAndLetsWideCellsStickOut) {
  Table table(2);
  table.Add({"a", "", "c"});
  table.Add({"größe", "b"});
  table.Add({std::string(60, 'w'), "b", "c"});
  EXPECT_EQ(table.Print(), "  a         c\n  größe  b\n  " + std::string(60, 'w') + "  b  c\n");
}

}  // namespace
}  // namespace ct
