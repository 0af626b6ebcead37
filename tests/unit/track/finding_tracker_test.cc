#include "track/finding_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "detect/detect.h"
#include "tests/unit/graph/observation_builder.h"

namespace ct {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Looks at one text after the other, a second apart, and says what is new: "appeared 1",
// "changed 1", "continuing 1", "ended 1", by id.
class Watch {
 public:
  explicit Watch(std::size_t max_tracked = FindingTracker::kDefaultMaxTracked)
      : tracker_(max_tracked) {}

  std::string See(std::string_view text) { return See(testing::Observe(text)); }

  std::string See(Observation observation) {
    observation.end += ++looks_ * kSecond;
    findings = Detect(observation, {.long_wait = kSecond});
    changes = tracker_.Update(findings, observation);
    std::string said;
    const auto say = [&](const char* what, std::uint64_t id) {
      said += (said.empty() ? "" : ", ") + std::string(what) + " " + std::to_string(id);
    };
    for (const std::size_t i : changes.appeared) say("appeared", findings.at(i).id);
    for (const std::size_t i : changes.changed) say("changed", findings.at(i).id);
    for (const std::size_t i : changes.continuing) say("continuing", findings.at(i).id);
    for (const EndedFinding& ended : changes.ended) say("ended", ended.id);
    return said;
  }

  std::vector<Finding> findings;
  FindingChanges changes;
  FindingTracker& tracker() { return tracker_; }

 private:
  FindingTracker tracker_;
  TimeNs looks_ = 0;
};

constexpr const char* kRing = "a: holds L, waits M\nb: holds M, waits L\n";

TEST(FindingTracker, TellsAFindingOnceAndItsEndOnce) {
  Watch watch;
  EXPECT_EQ(watch.See(kRing), "appeared 1");
  EXPECT_EQ(watch.See(kRing), "continuing 1");
  EXPECT_EQ(watch.See(kRing), "continuing 1");
  EXPECT_EQ(watch.findings[0].first_seen, testing::kNow + 1 * kSecond);
  EXPECT_EQ(watch.findings[0].last_seen, testing::kNow + 3 * kSecond);
  EXPECT_EQ(watch.See("a: runs\nb: runs"), "ended 1");
  EXPECT_EQ(watch.See("a: runs\nb: runs"), "");
  EXPECT_EQ(watch.tracker().tracked(), 0U);
}

TEST(FindingTracker, SaysWhoAnEndedFindingWasAbout) {
  Watch watch;
  watch.See(kRing);
  watch.See("c: runs");
  const TimeNs started = testing::kNow - 3600 * kSecond;
  EXPECT_THAT(watch.changes.ended,
              ElementsAre(EndedFinding{
                  1,
                  FindingKind::kDeadlock,
                  testing::kNow - 10 * kSecond,
                  testing::kNow + 1 * kSecond,
                  testing::kNow + 1 * kSecond,
                  {ActorId{{1000, started}, 0}, ActorId{{1001, started}, 0}},
                  {ResourceId{false, 1, 0x5040, 0, 0, 0}, ResourceId{false, 1, 0x5000, 0, 0, 0}}}));
}

TEST(FindingTracker, AQueueThatDoublesIsAChange) {
  Watch watch;
  EXPECT_EQ(watch.See(kRing), "appeared 1");
  EXPECT_EQ(watch.See(std::string(kRing) + "c: waits L"), "continuing 1");
  EXPECT_EQ(watch.See(std::string(kRing) + "c: waits L\nd: waits L"), "changed 1");
  EXPECT_EQ(watch.See(std::string(kRing) + "c: waits L\nd: waits L"), "continuing 1");
  EXPECT_EQ(watch.See(kRing), "continuing 1");
}

TEST(FindingTracker, MoreEvidenceIsAChange) {
  Watch watch;
  EXPECT_EQ(watch.See("a: holds L probable, waits M\nb: holds M, waits L"), "appeared 1");
  EXPECT_EQ(watch.findings[0].kind, FindingKind::kProbableDeadlock);
  EXPECT_EQ(watch.See(kRing), "changed 1");
  EXPECT_EQ(watch.findings[0].kind, FindingKind::kDeadlock);
}

TEST(FindingTracker, AFindingThatComesBackIsAnother) {
  Watch watch;
  EXPECT_EQ(watch.See(kRing), "appeared 1");
  EXPECT_EQ(watch.See("a: runs\nb: runs"), "ended 1");
  EXPECT_EQ(watch.See(kRing), "appeared 2");
}

// Indices are of one observation; threads and locks are not.
TEST(FindingTracker, KnowsTheSameActorsAtOtherIndices) {
  Watch watch;
  watch.See(kRing);
  Observation reordered = testing::Observe("new: runs\na: holds L, waits M\nb: holds M, waits L");
  reordered.actors[1].id.tid = 1000;
  reordered.actors[2].id.tid = 1001;
  reordered.actors[0].id.tid = 5;
  EXPECT_EQ(watch.See(reordered), "continuing 1");
}

TEST(FindingTracker, AReusedTidIsAnotherThread) {
  Watch watch;
  watch.See(kRing);
  Observation reused = testing::Observe(kRing);
  for (Actor& actor : reused.actors) actor.id.start_time += kSecond;
  EXPECT_EQ(watch.See(reused), "appeared 2, ended 1");
}

TEST(FindingTracker, TasksOfOneThreadAreDifferentActors) {
  Watch watch;
  Observation tasks = testing::Observe("a: task, holds L, waits L\nb: task, holds M, waits M");
  tasks.actors[1].id = tasks.actors[0].id;
  EXPECT_EQ(watch.See(tasks), "appeared 1, appeared 2");
  EXPECT_EQ(watch.See(tasks), "continuing 1, continuing 2");
}

TEST(FindingTracker, ALongWaitIsItsRootAndWhatItHolds) {
  Watch watch;
  EXPECT_EQ(watch.See("a: waits L\nb: holds L, runs\nc: runs"), "appeared 1");
  EXPECT_EQ(watch.See("a: runs\nb: holds L, runs\nc: waits L"), "continuing 1") << "other waiter";
  EXPECT_EQ(watch.See("a: holds L\nb: runs\nc: waits L"), "appeared 2, ended 1") << "other holder";
}

TEST(FindingTracker, AQueueThatMovesIsNewsOnlyWhenItDoubles) {
  const auto queue = [](int waiters) {
    std::string text = "lock L:\n";
    for (int i = 0; i < waiters; ++i) {
      text += "t" + std::to_string(i) + ": waits L once 300ms\n";
    }
    Observation observation = testing::Observe(text);
    for (Wait& wait : observation.waits) wait.since += 10 * kSecond;
    return observation;
  };
  Watch watch;
  EXPECT_EQ(watch.See(queue(10)), "appeared 1");
  EXPECT_EQ(watch.findings[0].kind, FindingKind::kHotLock);
  EXPECT_EQ(watch.See(queue(19)), "continuing 1");
  EXPECT_EQ(watch.See(queue(20)), "changed 1");
  EXPECT_EQ(watch.See(queue(21)), "continuing 1");
}

TEST(FindingTracker, AMissedProcessDoesNotEndItsFindings) {
  Watch watch;
  EXPECT_EQ(watch.See(kRing), "appeared 1");
  Observation missed = testing::Observe("c: runs");
  missed.actors[0].id.tid = 5;
  missed.losses.push_back({"process not readable", 1, true, "pid 1000"});
  EXPECT_EQ(watch.See(missed), "");
  EXPECT_EQ(watch.See(kRing), "continuing 1");
  Observation still_there = testing::Observe("a: runs\nb: runs");
  still_there.losses = missed.losses;
  EXPECT_EQ(watch.See(still_there), "ended 1") << "both were observed";
}

TEST(FindingTracker, GivesUpAMissedProcessAfterAWhile) {
  Watch watch;
  watch.See(kRing);
  Observation missed;
  missed.losses.push_back({"process not readable", 1, true, "pid 1000"});
  for (int look = 1; look < 16; ++look) EXPECT_EQ(watch.See(missed), "");
  EXPECT_EQ(watch.See(missed), "ended 1");
}

TEST(FindingTracker, HasALimit) {
  const std::string three = "a: holds L, waits L\nb: holds M, waits M\nc: holds N, waits N\n";
  Watch watch(2);
  EXPECT_EQ(watch.See(three), "appeared 1, appeared 2");
  EXPECT_EQ(watch.findings[2].id, 0U);
  EXPECT_EQ(watch.See(three), "continuing 1, continuing 2") << "no churn past the limit";

  Observation other = testing::Observe("x: runs\ny: runs\nz: holds P, waits P\n");
  other.actors[0].id.tid = 5;
  other.actors[1].id.tid = 6;
  other.losses.push_back({"process not readable", 1, true, "pid 1000"});
  EXPECT_EQ(watch.See(other), "appeared 3, ended 1") << "the one that is missing longest";
  EXPECT_EQ(watch.tracker().tracked(), 2U);
}

TEST(FindingTracker, ToleratesFindingsThatPointNowhere) {
  FindingTracker tracker;
  Finding broken;
  broken.members = {-1, 7};
  broken.resources = {9};
  broken.root = 3;
  std::vector<Finding> findings = {broken};
  EXPECT_THAT(tracker.Update(findings, Observation{}).appeared, ElementsAre(0));
  EXPECT_THAT(tracker.Update(findings, Observation{}).ended.size(), 1U);
}

// A trace does not search whole heaps in every look.
TEST(FindingTracker, WhatWasNotLookedForHasNotEnded) {
  Observation with = testing::Observe("a: runs");
  with.searched_for_forgotten = true;
  SwallowedException exception;
  exception.process = 0;
  exception.future = 0x100;
  exception.type = "ValueError";
  exception.evidence = Evidence::kCertain;
  with.swallowed_exceptions = {exception};
  NeverAwaited coroutines;
  coroutines.process = 0;
  coroutines.count = 3;
  coroutines.referrer = "shop.pending";
  with.never_awaited = {coroutines};
  Observation searched = testing::Observe("a: runs");
  searched.searched_for_forgotten = true;
  Watch watch;
  EXPECT_EQ(watch.See(with), "appeared 1, appeared 2");
  for (int i = 0; i < 40; ++i) EXPECT_EQ(watch.See(std::string_view("a: runs")), "");
  EXPECT_EQ(watch.See(with), "continuing 1, continuing 2");
  with.never_awaited[0].count = 6;
  EXPECT_EQ(watch.See(with), "changed 2, continuing 1");
  EXPECT_EQ(watch.See(searched), "ended 1, ended 2");
}

// --- what was seen of holds
// -----------------------------------------------------------------------

constexpr const char* kInversion = "order A>B: t1\norder B>A: t2\n";

TEST(FindingTracker, AnInversionIsToldOnceAndNeverEnds) {
  Watch watch;
  EXPECT_EQ(watch.See(kInversion), "appeared 1");
  EXPECT_EQ(watch.See(kInversion), "continuing 1");
  for (int i = 0; i < 40; ++i) EXPECT_EQ(watch.See("a: runs"), "");
  EXPECT_EQ(watch.tracker().tracked(), 1U);
  EXPECT_EQ(watch.See(kInversion), "continuing 1");
}

TEST(FindingTracker, AnInversionByOtherThreadsIsTheSame) {
  Watch watch;
  EXPECT_EQ(watch.See(kInversion), "appeared 1");
  EXPECT_EQ(watch.See("lock A: \nlock B: \nx: runs\ny: runs\norder B>A: x\norder A>B: y"),
            "continuing 1");
}

TEST(FindingTracker, InversionsOfOtherLocksAreOthers) {
  Watch watch;
  const std::string more = std::string(kInversion) + "order B>C: t1\norder C>B: t3\n";
  EXPECT_EQ(watch.See(kInversion), "appeared 1");
  EXPECT_EQ(watch.See(more), "appeared 2, continuing 1");
  EXPECT_EQ(watch.See(more), "continuing 1, continuing 2");
}

TEST(FindingTracker, AnInversionIsForgottenWithItsProcess) {
  Watch watch;
  EXPECT_EQ(watch.See(kInversion), "appeared 1");
  Observation other = testing::Observe("process next\na: runs");
  other.processes.erase(other.processes.begin());
  other.actors[0].process = 0;
  for (int i = 0; i < 40; ++i) EXPECT_EQ(watch.See(other), "");
  EXPECT_EQ(watch.tracker().tracked(), 0U);
  Observation again = testing::Observe(kInversion);
  again.processes[0].id.start_time += kSecond;  // the pid was reused
  EXPECT_EQ(watch.See(again), "appeared 2");
}

// Of many rings at the same places one is told: another one at another time.
TEST(FindingTracker, AnInversionAtTheSamePlacesIsTheSame) {
  Observation observation = testing::Observe(kInversion);
  for (std::size_t i = 0; i < 2; ++i) {
    Frame frame;
    frame.function = "f" + std::to_string(i);
    frame.file = "/src/f.cc";
    frame.line = 7;
    observation.stacks.push_back({{frame}, StackEnd::kComplete});
    LockOrderSighting& sighting = observation.hold_activity.orders[i].sightings[0];
    sighting.held_at = sighting.wanted_at = static_cast<StackIndex>(i);
  }
  Watch watch;
  EXPECT_EQ(watch.See(observation), "appeared 1");
  for (Resource& lock : observation.resources) lock.id.address += 0x10000;
  EXPECT_EQ(watch.See(observation), "continuing 1");
  observation.stacks[0].frames[0].line = 8;
  EXPECT_EQ(watch.See(observation), "continuing 1");
  for (Resource& lock : observation.resources) lock.id.address += 0x10000;
  observation.stacks[0].frames[0].line = 9;
  EXPECT_EQ(watch.See(observation), "appeared 2");
}

Observation LongHolds(int count) {
  Observation observation = testing::Observe("lock L: \na: runs");
  for (int i = 0; i < count; ++i) {
    LongHold hold;
    hold.resource = 0;
    hold.process = 0;
    hold.thread = observation.actors[0].id;
    hold.evidence = Evidence::kCertain;
    hold.duration = kSecond + i;
    hold.ended = true;
    observation.hold_activity.long_holds.push_back(hold);
  }
  return observation;
}

TEST(FindingTracker, LongHoldsOfOneLockAreOneAndTheirDoublingIsAChange) {
  Watch watch;
  EXPECT_EQ(watch.See(LongHolds(2)), "appeared 1");
  EXPECT_EQ(watch.See(LongHolds(3)), "continuing 1");
  EXPECT_EQ(watch.See(LongHolds(4)), "changed 1");
  Observation other = LongHolds(4);
  other.resources[0].symbol = "M";
  EXPECT_EQ(watch.See(other), "appeared 2, ended 1");
  EXPECT_THAT(watch.changes.ended[0].actors, ElementsAre(ActorId{other.actors[0].id, 0}));
}

}  // namespace
}  // namespace ct
