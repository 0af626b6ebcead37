// From what was seen of holds to rows: who waits for a pool, who has its units, and what is certain
// of that.
#include "observe/hold_rows.h"

#include <gtest/gtest.h>

namespace ct {
namespace {

constexpr std::uint64_t kSpace = 7;
constexpr std::uint64_t kPool = 0x1000;
constexpr std::uint64_t kLock = 0x2000;
constexpr TimeNs kNow = 100 * kSecond;

class HoldRowsTest : public ::testing::Test {
 protected:
  HoldRowsTest() : stacks_(16) {
    pool_.kind = ResourceKind::kPool;
    pool_.type = "ConnectionPool";
    pool_.site.function = "ConnectionPool::acquire()";
    mutex_.kind = ResourceKind::kMutex;
    mutex_.type = "pthread_mutex_t";
    Process process;
    process.id = {100, 1};
    out_.processes.push_back(process);
    out_.end = kNow;
  }

  ActorIndex AddThread(pid_t tid) {
    Actor actor;
    actor.id = {tid, 1};
    actor.process = 0;
    actor.state = RunState::kSleeping;
    actor.still = true;
    out_.actors.push_back(actor);
    return static_cast<ActorIndex>(out_.actors.size() - 1);
  }
  HeldNow Of(pid_t tid, std::uint64_t address, ProbeId probe, TimeNs since) {
    HeldNow row;
    row.tid = row.ns_tid = tid;
    row.pid = 100;
    row.space = kSpace;
    row.object.address = address;
    row.object.probe = probe;
    row.object.family = probe;
    row.object.asked = since;
    row.since = since;
    return row;
  }
  void Has(pid_t tid, std::uint64_t address, ProbeId probe, TimeNs since) {
    held_.push_back(Of(tid, address, probe, since));
  }
  void Asks(pid_t tid, TimeNs since) {
    asked_.push_back(Of(tid, kPool, 0, since));
    asked_.back().object.asking = true;
  }
  // Longer ago than kQuietPool.
  void HasOneAndAsksForAnother() {
    SleepsOnCondition(AddThread(101));
    Has(101, kPool, 0, kNow - 15 * kSecond);
    Asks(101, kNow - 12 * kSecond);
  }
  HoldCount& Count(std::uint64_t address, ProbeId probe) {
    HoldCount& count = counts_.emplace_back();
    count.key = {kSpace, address, 100, probe};
    count.probe = probe;
    return count;
  }
  // As the sweep has it: asleep on a condition.
  void SleepsOnCondition(ActorIndex actor, std::optional<TimeNs> deadline = {}) {
    Resource condition;
    condition.kind = ResourceKind::kCondition;
    condition.id = {false, history_.Space(kSpace), 0x9000 + static_cast<std::uint64_t>(actor)};
    out_.resources.push_back(condition);
    Wait wait;
    wait.actor = actor;
    wait.resource = static_cast<ResourceIndex>(out_.resources.size() - 1);
    wait.purpose = WaitPurpose::kEvent;
    wait.since = kNow - kSecond;
    wait.deadline = deadline;
    wait.timed = deadline.has_value();
    out_.waits.push_back(wait);
  }
  // As the sweep has it.
  ResourceIndex WaitsForLock(ActorIndex actor) {
    Resource lock;
    lock.kind = ResourceKind::kMutex;
    lock.id = {false, history_.Space(kSpace), kLock};
    out_.resources.push_back(lock);
    Wait wait;
    wait.actor = actor;
    wait.resource = static_cast<ResourceIndex>(out_.resources.size() - 1);
    wait.purpose = WaitPurpose::kAcquire;
    wait.evidence = Evidence::kCertain;
    out_.waits.push_back(wait);
    return wait.resource;
  }
  void Build() {
    const HoldCounts counts(counts_);
    AddHolds({.since = kSecond,
              .now = kNow,
              .long_hold = kSecond,
              .held = held_,
              .asked = asked_,
              .counts = counts,
              .book = book_,
              .stacks = stacks_,
              .objects = objects_,
              .probe = [this](ProbeId id) -> const HoldProbe& { return id == 0 ? pool_ : mutex_; }},
             history_, out_);
  }
  const Resource& ResourceOf(const Wait& wait) {
    return out_.resources[static_cast<std::size_t>(wait.resource)];
  }

  HoldProbe pool_;
  HoldProbe mutex_;
  History history_;
  StackBook stacks_;
  HoldBook book_;
  std::map<std::pair<pid_t, std::uint64_t>, ObjectPlace> objects_;
  std::vector<HeldNow> held_;
  std::vector<HeldNow> asked_;
  std::deque<HoldCount> counts_;
  Observation out_;
};

TEST_F(HoldRowsTest, WhoIsInsideAcquireWaitsForThePool) {
  const ActorIndex asker = AddThread(101);
  SleepsOnCondition(asker, kNow + kSecond);
  Asks(101, kNow - 3 * kSecond);
  Build();
  ASSERT_EQ(out_.waits.size(), 1U);
  const Wait& wait = out_.waits[0];
  EXPECT_EQ(ResourceOf(wait).kind, ResourceKind::kPool);
  EXPECT_EQ(wait.purpose, WaitPurpose::kAcquire);
  EXPECT_EQ(wait.evidence, Evidence::kCertain);
  EXPECT_EQ(wait.since, kNow - 3 * kSecond) << "however often it has slept inside";
  EXPECT_EQ(wait.deadline, kNow + kSecond) << "its inner wait gives up then";
}

TEST_F(HoldRowsTest, WhoWaitsForALockInsideThePoolWaitsForThatLock) {
  const ActorIndex asker = AddThread(101);
  const ResourceIndex lock = WaitsForLock(asker);
  Asks(101, kNow - kSecond);
  Build();
  ASSERT_EQ(out_.waits.size(), 1U);
  EXPECT_EQ(out_.waits[0].resource, lock);
}

TEST_F(HoldRowsTest, WhoRunsInsideAcquireDoesNotWait) {
  const ActorIndex asker = AddThread(101);
  out_.actors[static_cast<std::size_t>(asker)].state = RunState::kRunning;
  out_.actors[static_cast<std::size_t>(asker)].still = false;
  Asks(101, kNow - kSecond);
  Build();
  EXPECT_TRUE(out_.waits.empty());
}

TEST_F(HoldRowsTest, APoolWhoseCapacityIsKnownIsAccounted) {
  pool_.capacity = 2;
  for (const pid_t tid : {101, 102}) {
    SleepsOnCondition(AddThread(tid));
    Has(tid, kPool, 0, kNow - 5 * kSecond);
    Asks(tid, kNow - 2 * kSecond);
  }
  HoldCount& count = Count(kPool, 0);
  count.in_use = count.high_water = 2;
  Build();
  const Resource& pool = ResourceOf(out_.waits[0]);
  EXPECT_EQ(pool.capacity, 2U);
  EXPECT_EQ(pool.in_use, 2U);
  EXPECT_TRUE(pool.holders_known);
  ASSERT_EQ(out_.holds.size(), 2U);
  EXPECT_EQ(out_.holds[0].evidence, Evidence::kCertain);
  EXPECT_EQ(out_.holds[0].since, kNow - 5 * kSecond);
}

TEST_F(HoldRowsTest, APoolIsNotTheMutexThatItBeginsWith) {
  const ActorIndex owner = AddThread(101);
  const ActorIndex waiter = AddThread(102);
  SleepsOnCondition(AddThread(103));
  const ResourceIndex lock = WaitsForLock(waiter);
  out_.resources[static_cast<std::size_t>(lock)].id.address = kPool;
  Asks(103, kNow - 2 * kSecond);
  Has(101, kPool, 1, kNow - kSecond);
  Count(kPool, 1).holds.holds = 5;
  HoldCount& count = Count(kPool, 0);
  count.in_use = count.high_water = 1;
  Build();
  ASSERT_EQ(out_.holds.size(), 1U);
  EXPECT_EQ(out_.holds[0].actor, owner);
  EXPECT_EQ(out_.holds[0].resource, lock);
  EXPECT_FALSE(out_.resources[static_cast<std::size_t>(lock)].in_use);
  EXPECT_EQ(ResourceOf(out_.waits[0]).in_use, 1U);
}

TEST_F(HoldRowsTest, WithoutACapacityAsManyAsThereEverWereAreAll) {
  HasOneAndAsksForAnother();
  HoldCount& count = Count(kPool, 0);
  count.in_use = count.high_water = 1;
  Build();
  const Resource& pool = ResourceOf(out_.waits[0]);
  EXPECT_FALSE(pool.capacity);
  EXPECT_EQ(pool.high_water, 1U);
  EXPECT_TRUE(pool.holders_known) << "as many as there ever were";
  ASSERT_EQ(out_.holds.size(), 1U);
  EXPECT_EQ(out_.holds[0].evidence, Evidence::kCertain) << "that it has one was seen";
}

// Who took one before the pool was followed may yet give it back.
TEST_F(HoldRowsTest, WithoutACapacityThoseOfAPoolThatMovesAreNotAll) {
  HasOneAndAsksForAnother();
  HoldCount& count = Count(kPool, 0);
  count.in_use = count.high_water = 1;
  count.last_release = kNow - 9 * kSecond;
  Build();
  EXPECT_FALSE(ResourceOf(out_.waits[0]).holders_known);
}

TEST_F(HoldRowsTest, FewerThanThereWereAreNotAllHolders) {
  HasOneAndAsksForAnother();
  HoldCount& count = Count(kPool, 0);
  count.in_use = 1;
  count.high_water = 3;
  Build();
  EXPECT_FALSE(ResourceOf(out_.waits[0]).holders_known);
}

TEST_F(HoldRowsTest, ASignalHasNoHolders) {
  pool_.kind = ResourceKind::kSemaphore;
  const ActorIndex waiter = AddThread(101);
  AddThread(102);
  const ResourceIndex lock = WaitsForLock(waiter);
  out_.resources[static_cast<std::size_t>(lock)].kind = ResourceKind::kSemaphore;
  Has(102, kLock, 0, kNow - 5 * kSecond);
  HoldCount& count = Count(kLock, 0);
  count.holds.holds = 2;
  count.foreign_releases = 20;
  Build();
  EXPECT_TRUE(out_.holds.empty());
  EXPECT_FALSE(out_.resources[static_cast<std::size_t>(lock)].in_use);
  EXPECT_TRUE(out_.hold_activity.long_holds.empty());
}

TEST_F(HoldRowsTest, WhoWaitsForASemaphoreThatIsHeldWantsToAcquireIt) {
  pool_.kind = ResourceKind::kSemaphore;
  const ActorIndex waiter = AddThread(101);
  AddThread(102);
  const ResourceIndex lock = WaitsForLock(waiter);
  out_.resources[static_cast<std::size_t>(lock)].kind = ResourceKind::kSemaphore;
  out_.waits[0].purpose = WaitPurpose::kEvent;
  Has(102, kLock, 0, kNow - 5 * kSecond);
  HoldCount& count = Count(kLock, 0);
  count.in_use = count.high_water = 1;
  Build();
  EXPECT_EQ(out_.waits[0].purpose, WaitPurpose::kAcquire);
  ASSERT_EQ(out_.holds.size(), 1U);
  EXPECT_EQ(out_.holds[0].evidence, Evidence::kProbable) << "how many units it has is not known";
}

TEST_F(HoldRowsTest, WhatMemorySaysOfAMutexCounts) {
  const ActorIndex waiter = AddThread(101);
  const ActorIndex owner = AddThread(102);
  AddThread(103);
  const ResourceIndex lock = WaitsForLock(waiter);
  Hold hold;
  hold.actor = owner;
  hold.resource = lock;
  hold.evidence = Evidence::kCertain;
  out_.holds.push_back(hold);
  Has(103, kLock, 1, kNow - 4 * kSecond);
  Has(102, kLock, 1, kNow - 3 * kSecond);
  Build();
  ASSERT_EQ(out_.holds.size(), 1U) << "nobody else has it";
  EXPECT_EQ(out_.holds[0].actor, owner);
  EXPECT_EQ(out_.holds[0].since, kNow - 3 * kSecond) << "and since when is told now";
}

TEST_F(HoldRowsTest, AHoldThatNobodyWaitsForIsNoRow) {
  AddThread(101);
  Has(101, kLock, 1, kNow - kMillisecond);
  Build();
  EXPECT_TRUE(out_.holds.empty());
  EXPECT_TRUE(out_.hold_activity.long_holds.empty());
}

TEST_F(HoldRowsTest, LongOnesAreRowsWhetherOrNotTheyHaveEnded) {
  AddThread(101);
  Has(101, kLock, 1, kNow - 2 * kSecond);
  HoldEvent event;
  event.id = {103, 1};
  event.leader = {100, 1};
  event.space = kSpace;
  event.held.address = kLock;
  event.held.probe = 1;
  event.held.since = kNow - 9 * kSecond;
  event.at = kNow - 5 * kSecond;
  book_.NoteLongHold(event, {}, {});
  Build();
  const auto& rows = out_.hold_activity.long_holds;
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_FALSE(rows[0].ended);
  EXPECT_EQ(rows[0].duration, 2 * kSecond);
  EXPECT_TRUE(rows[1].ended);
  EXPECT_EQ(rows[1].duration, 4 * kSecond);
  EXPECT_EQ(rows[0].resource, rows[1].resource);
}

// Readers as many as the lock counts are all of them, and the writer needs every one to leave.
TEST_F(HoldRowsTest, ReadersAreAllWhereTheLockCountsAsMany) {
  mutex_.kind = ResourceKind::kRwLock;
  mutex_.mode = AccessMode::kShared;
  const ResourceIndex lock = WaitsForLock(AddThread(101));
  Resource& resource = out_.resources[static_cast<std::size_t>(lock)];
  resource.kind = ResourceKind::kRwLock;
  resource.readers = 3;
  for (const pid_t tid : {102, 103}) {
    AddThread(tid);
    Has(tid, kLock, 1, kNow - kSecond);
  }
  Build();
  const auto built = [&]() -> Resource& { return out_.resources[static_cast<std::size_t>(lock)]; };
  EXPECT_FALSE(built().holders_known) << "one was there before anybody looked";
  EXPECT_EQ(built().rule, ReleaseRule::kAnyHolder);
  out_.holds.clear();
  held_[1].object.count = 2;  // twice the same one's
  Build();
  EXPECT_TRUE(built().holders_known);
  EXPECT_EQ(built().rule, ReleaseRule::kAllHolders);
}

TEST_F(HoldRowsTest, ASemaphoreIsHeldForLongWhereItIsUsedAsALock) {
  pool_.kind = ResourceKind::kSemaphore;
  AddThread(101);
  Has(101, kLock, 0, kNow - 5 * kSecond);
  HoldCount& count = Count(kLock, 0);
  count.holds.holds = 100;  // most of them of an earlier one at this address
  count.uses = 4;
  Build();
  EXPECT_TRUE(out_.hold_activity.long_holds.empty());
  count.uses = 5;
  Build();
  ASSERT_EQ(out_.hold_activity.long_holds.size(), 1U);
  EXPECT_EQ(out_.hold_activity.long_holds[0].evidence, Evidence::kProbable);
}

TEST_F(HoldRowsTest, WhoWaitsForAnotherUnitOfASemaphoreIsNoticedByTheWait) {
  pool_.kind = ResourceKind::kSemaphore;
  const ActorIndex thread = AddThread(101);
  const ResourceIndex lock = WaitsForLock(thread);
  out_.resources[static_cast<std::size_t>(lock)].kind = ResourceKind::kSemaphore;
  Has(101, kLock, 0, kNow - 5 * kSecond);
  Count(kLock, 0).uses = 100;
  Build();
  EXPECT_TRUE(out_.hold_activity.long_holds.empty());
}

TEST_F(HoldRowsTest, OrdersComeWithTheirGuards) {
  HoldEvent event;
  event.id = {101, 1};
  event.leader = {100, 1};
  event.name = "worker";
  event.space = kSpace;
  event.held.address = kLock;
  event.held.probe = 1;
  event.wanted = 0x3000;
  event.wanted_probe = 1;
  event.guards = {0x4000};
  objects_[{100, kLock}] = {kLock, "g_lock", ".bss of app", 0, 0, 0};
  book_.NoteOrder(event, {}, {});
  Build();
  ASSERT_EQ(out_.hold_activity.orders.size(), 1U);
  const LockOrder& order = out_.hold_activity.orders[0];
  EXPECT_EQ(out_.resources[static_cast<std::size_t>(order.held)].symbol, "g_lock");
  EXPECT_EQ(out_.resources[static_cast<std::size_t>(order.wanted)].id.address, 0x3000U);
  ASSERT_EQ(order.sightings.size(), 1U);
  EXPECT_EQ(order.sightings[0].thread_name, "worker");
  EXPECT_EQ(order.sightings[0].guards.size(), 1U);
}

}  // namespace
}  // namespace ct
