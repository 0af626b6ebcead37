// The books of an interval, and the observation that is made of them: the numbers are the kernel's,
// who and where is what records and readings tell.
#include <initializer_list>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include "observe/contention_ledger.h"
#include "observe/contention_report.h"
#include "tests/unit/observe/raw_look.h"

namespace ct {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::kApp;
using testing::kEnd;
using testing::kHostNamespace;
using testing::Mutex;
using testing::SharedMutex;
using ::testing::SizeIs;

constexpr TimeNs kSince = kEnd - 10 * kSecond;
constexpr pid_t kOther = 200;

std::uint64_t SpaceOf(pid_t process) {
  return 0xffff'8880'0000'0000 + 0x1000U * static_cast<std::uint64_t>(process);
}

LockKey Key(std::uint64_t address, pid_t process = kApp) {
  return {SpaceOf(process), address, process};
}

// A thread of kApp waited that long for the lock, and nobody is known to have let it go.
WaitSample Waited(pid_t tid, std::uint64_t address, DurationNs duration, pid_t process = kApp) {
  WaitSample wait;
  wait.id = {tid, 10 + tid};
  wait.leader = {process, 10 + process};
  wait.ns_tid = tid;
  wait.ns_pid = process - 90;
  wait.pid_ns = kHostNamespace;
  wait.name = "t" + std::to_string(tid);
  wait.leader_name = "p" + std::to_string(process);
  wait.lock = Key(address, process);
  wait.begin = kSince + kSecond;
  wait.end = wait.begin + duration;
  return wait;
}

WaitSample LetGo(WaitSample wait, pid_t waker) {
  wait.waker = Waker{waker, kApp, "t" + std::to_string(waker)};
  return wait;
}

WaitSample Sampled(WaitSample wait) {
  wait.sampled = true;
  return wait;
}

ProcessNames ProcessOf(const WaitSample& wait) {
  return {wait.leader, wait.ns_pid, wait.pid_ns, wait.leader_name};
}

Stack StackAt(std::uint64_t address, ModuleIndex module = kNoIndex) {
  Stack stack;
  stack.end = StackEnd::kComplete;
  for (const std::uint64_t offset : {0, 0x100}) {
    Frame frame;
    frame.address = address + offset;
    frame.module = module;
    stack.frames.push_back(frame);
  }
  return stack;
}

ThreadRead Read(const LocatedWait& wait, const Stack& stack = {}) {
  ThreadRead read;
  read.wait = wait;
  read.stack = stack;
  return read;
}

LocatedWait Futex(std::uint64_t address) {
  LocatedWait wait;
  wait.reading.object = wait.reading.futex_word = address;
  return wait;
}

LocatedWait RwLock(std::uint64_t object) {
  LocatedWait wait = Mutex(object, 0);
  wait.reading.kind = ResourceKind::kRwLock;
  wait.reading.type = "pthread_rwlock_t";
  return wait;
}

WaitTotals Totals(std::initializer_list<DurationNs> durations) {
  WaitTotals totals;
  for (const DurationNs duration : durations) totals.Add(duration, false);
  return totals;
}

class ContentionTest : public ::testing::Test {
 protected:
  ContentionTest() { sweep_.end = kEnd; }

  void Counted(const LockKey& key, const WaitTotals& waits, const HoldTotals& holds = {}) {
    LockCount& count = counts_.emplace_back();
    count.key = key;
    count.waits = waits;
    count.holds = holds;
  }

  // Sleeps in the kernel's futex wait for that long at the interval's end.
  TaskSample& Waiter(pid_t tid, std::uint64_t address, DurationNs age, pid_t process = kApp) {
    TaskSample& task = sweep_.tasks.emplace_back();
    task.id = {tid, 10 + tid};
    task.leader = {process, 10 + process};
    task.ns_tid = tid;
    task.ns_tgid = process - 90;
    task.pid_ns = kHostNamespace;
    task.space = SpaceOf(process);
    task.state = RunState::kSleeping;
    task.asleep = true;
    task.has_registers = true;
    task.syscall = SYS_futex;
    task.arguments = {address, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2};
    task.off_cpu_since = kEnd - age;
    task.leader_comm = "p" + std::to_string(process);
    return task;
  }

  Observation Build() {
    Observation observation;
    AddTo(observation);
    return observation;
  }

  void AddTo(Observation& observation) {
    AddContention({.since = kSince,
                   .min_wait = kMillisecond,
                   .ledger = ledger_,
                   .counts = counts_,
                   .sweep = sweep_,
                   .selected = selected_,
                   .facts = facts_,
                   .history = history_},
                  observation);
  }

  // Of the only lock that there is.
  LockContention BuildOne() {
    const Observation observation = Build();
    EXPECT_EQ(observation.contention.locks.size(), 1U);
    return observation.contention.locks.empty() ? LockContention{}
                                                : observation.contention.locks.front();
  }

  ContentionLedger ledger_;
  std::vector<LockCount> counts_;
  Sweep sweep_;
  std::unordered_set<pid_t> selected_ = {kApp};
  std::unordered_map<pid_t, ProcessFacts> facts_;
  History history_;
};

// --- numbers ------------------------------------------------------------------------------------

TEST_F(ContentionTest, OfNothingIsAnIntervalWithoutLocks) {
  const Observation observation = Build();
  EXPECT_EQ(observation.contention, (Contention{kSince, kMillisecond, {}, {}}));
  EXPECT_THAT(observation.processes, IsEmpty());
  EXPECT_THAT(observation.resources, IsEmpty());
}

TEST_F(ContentionTest, TakesTotalsFromTheKernelAndTheRestFromRecords) {
  WaitTotals totals = Totals({700, 900'000, 3 * kMillisecond, 5 * kMillisecond});
  totals.timeouts = 1;
  Counted(Key(0x1000), totals, {3, 600, 400});
  const WaitSample wait = LetGo(Waited(101, 0x1000, 5 * kMillisecond), 102);
  ledger_.NoteWait(wait);
  ledger_.NoteReading(wait, Read(Mutex(0x1000, 102), StackAt(0x40'0000)), {});

  LockContention expected;
  expected.resource = 0;
  expected.process = 0;
  expected.purpose = WaitPurpose::kAcquire;
  expected.purpose_known = true;
  expected.waits = totals;
  expected.holds = {3, 600, 400};
  expected.stacks = {{0, 1, 5 * kMillisecond, 5 * kMillisecond}};
  expected.threads = {{{101, 111}, "t101", 1, 5 * kMillisecond, 5 * kMillisecond}};
  expected.releasers = {{102, kApp, "t102", 1, 5 * kMillisecond}};
  const Observation observation = Build();
  EXPECT_THAT(observation.contention.locks, ElementsAre(expected));
  EXPECT_THAT(observation.stacks, ElementsAre(StackAt(0x40'0000)));
}

TEST_F(ContentionTest, AddsWaitsThatBeganBeforeTheTracer) {
  Counted(Key(0x1000), Totals({500}));
  const ProcessNames process = ProcessOf(Waited(101, 0x1000, 0));
  ledger_.NoteUncounted(Key(0x1000), process, 20 * kSecond, true);
  ledger_.NoteUncounted(Key(0x1000), process, 3 * kSecond, false);
  WaitTotals expected = Totals({500, 3 * kSecond});
  expected.Add(20 * kSecond, true);
  EXPECT_EQ(BuildOne().waits, expected);
}

TEST_F(ContentionTest, CountsWaitsThatBeganBeforeOfALockThatTheKernelNeverCounted) {
  ledger_.NoteUncounted(Key(0x1000), ProcessOf(Waited(101, 0x1000, 0)), 20 * kSecond, false);
  EXPECT_EQ(BuildOne().waits, Totals({20 * kSecond}));
}

TEST_F(ContentionTest, HasNoRowForALockThatNothingWasCountedOf) {
  ledger_.NoteWait(Waited(101, 0x1000, kSecond));
  ledger_.NoteLive(Key(0x2000), ProcessOf(Waited(101, 0x2000, 0)), Read(Mutex(0x2000, 0)));
  EXPECT_THAT(Build().contention.locks, IsEmpty());
}

TEST_F(ContentionTest, PutsTheLongestWaitingFirst) {
  Counted(Key(0x1000), Totals({kSecond}));
  Counted(Key(0x2000), Totals({3 * kSecond}));
  Counted(Key(0x3000), Totals({kMillisecond}));
  Waiter(101, 0x3000, 2 * kSecond);
  const Observation observation = Build();
  std::vector<std::uint64_t> addresses;
  for (const LockContention& lock : observation.contention.locks) {
    addresses.push_back(
        observation.resources.at(static_cast<std::size_t>(lock.resource)).id.address);
  }
  EXPECT_THAT(addresses, ElementsAre(0x2000, 0x3000, 0x1000));
}

// --- what it is ---------------------------------------------------------------------------------

TEST_F(ContentionTest, TellsOfALockWhatTheReadingTells) {
  LocatedWait read = Mutex(0x1010, 102);
  read.symbol = "g_ledger_mu";
  read.where = ".bss of ledger";
  read.reading.type = "std::mutex";
  read.reading.capacity = 1;
  Counted(Key(0x1018), Totals({kSecond}));
  ledger_.NoteReading(Waited(101, 0x1018, kSecond), Read(read), {});

  Resource resource;
  resource.kind = ResourceKind::kMutex;
  resource.implementation = Implementation::kGlibc;
  resource.id = {.shared = false, .space = 1, .address = 0x1010};
  resource.type = "std::mutex";
  resource.symbol = "g_ledger_mu";
  resource.where = ".bss of ledger";
  resource.capacity = 1;
  EXPECT_THAT(Build().resources, ElementsAre(resource));
  EXPECT_TRUE(ledger_.IsNamed(Key(0x1018)));
  EXPECT_FALSE(ledger_.IsNamed(Key(0x1010)));
}

TEST_F(ContentionTest, CallsALockThatNobodyReadAFutex) {
  Counted(Key(0x1000), Totals({kSecond}));
  const Observation observation = Build();
  Resource resource;
  resource.id = {.shared = false, .space = 1, .address = 0x1000};
  EXPECT_THAT(observation.resources, ElementsAre(resource));
  ASSERT_THAT(observation.contention.locks, SizeIs(1));
  EXPECT_FALSE(observation.contention.locks[0].purpose_known);
}

TEST_F(ContentionTest, DoesNotKnowThePurposeOfAFutexThatNoDecoderKnows) {
  Counted(Key(0x1000), Totals({kSecond}));
  ledger_.NoteReading(Waited(101, 0x1000, kSecond), Read(Futex(0x1000)), {});
  EXPECT_FALSE(ledger_.IsNamed(Key(0x1000)));
  EXPECT_FALSE(BuildOne().purpose_known);
}

TEST_F(ContentionTest, BelievesTheMostCertainReading) {
  LocatedWait unsure = Mutex(0x1000, 0);
  unsure.reading.evidence = Evidence::kProbable;
  unsure.reading.type = "looks like a mutex";
  unsure.reading.purpose = WaitPurpose::kEvent;
  LocatedWait sure = Mutex(0x1000, 0);
  sure.reading.type = "std::mutex";
  LocatedWait as_sure = sure;
  as_sure.reading.type = "a later one";
  Counted(Key(0x1000), Totals({kSecond}));
  for (const LocatedWait& read : {Futex(0x1000), unsure, sure, unsure, as_sure}) {
    ledger_.NoteReading(Waited(101, 0x1000, kSecond), Read(read), {});
  }
  const Observation observation = Build();
  ASSERT_THAT(observation.resources, SizeIs(1));
  EXPECT_EQ(observation.resources[0].type, "std::mutex");
  EXPECT_EQ(observation.contention.locks.at(0).purpose, WaitPurpose::kAcquire);
  EXPECT_TRUE(observation.contention.locks.at(0).purpose_known);
}

TEST_F(ContentionTest, NamesALockByAWaitInProgress) {
  Counted(Key(0x1000), Totals({kSecond}));
  ledger_.NoteLive(Key(0x1000), ProcessOf(Waited(101, 0x1000, 0)), Read(Mutex(0x1000, 102)));
  EXPECT_TRUE(ledger_.IsNamed(Key(0x1000)));
  EXPECT_TRUE(BuildOne().purpose_known);
}

// That is what waits in progress are read for.
TEST_F(ContentionTest, NamesALockByAWaitInProgressWhereRecordsToldNothing) {
  Counted(Key(0x1000), Totals({kSecond}));
  ledger_.NoteReading(Waited(101, 0x1000, kSecond), Read(Futex(0x1000)), {});
  ledger_.NoteLive(Key(0x1000), ProcessOf(Waited(101, 0x1000, 0)), Read(Mutex(0x1000, 102)));
  EXPECT_TRUE(ledger_.IsNamed(Key(0x1000)));
  EXPECT_TRUE(BuildOne().purpose_known);
}

TEST_F(ContentionTest, AWaitInProgressDoesNotRenameALock) {
  LocatedWait known = Mutex(0x1000, 0);
  known.reading.type = "std::mutex";
  LocatedWait live = Mutex(0x1000, 0);
  live.reading.evidence = Evidence::kProbable;
  Counted(Key(0x1000), Totals({kSecond}));
  ledger_.NoteReading(Waited(101, 0x1000, kSecond), Read(known), {});
  ledger_.NoteLive(Key(0x1000), ProcessOf(Waited(101, 0x1000, 0)), Read(live));
  EXPECT_EQ(Build().resources.at(0).type, "std::mutex");
}

TEST_F(ContentionTest, MakesOneRowOfTheFutexWordsOfOneObject) {
  Counted(Key(0x1008), Totals({kSecond, 2 * kSecond}), {1, 100, 100});
  Counted(Key(0x100c), Totals({4 * kSecond}), {2, 700, 600});
  for (const auto& [tid, address, duration] :
       {std::tuple{101, 0x1008, kSecond}, {102, 0x1008, 2 * kSecond}, {101, 0x100c, 4 * kSecond}}) {
    const WaitSample wait = LetGo(Waited(tid, static_cast<std::uint64_t>(address), duration), 103);
    ledger_.NoteWait(wait);
    ledger_.NoteReading(wait, Read(RwLock(0x1000), StackAt(0x40'0000)), {});
  }
  Waiter(104, 0x1008, kSecond);
  Waiter(105, 0x100c, 2 * kSecond);

  LockContention expected;
  expected.resource = 0;
  expected.process = 0;
  expected.purpose = WaitPurpose::kAcquire;
  expected.purpose_known = true;
  expected.waits = Totals({kSecond, 2 * kSecond, 4 * kSecond});
  expected.holds = {3, 800, 600};
  expected.waiters = 2;
  expected.waiting = 3 * kSecond;
  expected.stacks = {{0, 3, 7 * kSecond, 4 * kSecond}};
  expected.threads = {{{101, 111}, "t101", 2, 5 * kSecond, 4 * kSecond},
                      {{102, 112}, "t102", 1, 2 * kSecond, 2 * kSecond}};
  expected.releasers = {{103, kApp, "t103", 3, 7 * kSecond}};
  const Observation observation = Build();
  EXPECT_THAT(observation.contention.locks, ElementsAre(expected));
  EXPECT_THAT(observation.resources, SizeIs(1));
}

TEST_F(ContentionTest, NamesOneObjectByTheMostCertainReadingOfItsWords) {
  LocatedWait unsure = RwLock(0x1000);
  unsure.reading.evidence = Evidence::kProbable;
  unsure.reading.type = "looks like a rwlock";
  unsure.reading.purpose = WaitPurpose::kEvent;
  Counted(Key(0x1008), Totals({kSecond}));
  Counted(Key(0x100c), Totals({kSecond}));
  ledger_.NoteReading(Waited(101, 0x1008, kSecond), Read(unsure), {});
  ledger_.NoteReading(Waited(102, 0x100c, kSecond), Read(RwLock(0x1000)), {});
  const Observation observation = Build();
  ASSERT_THAT(observation.contention.locks, SizeIs(1));
  EXPECT_EQ(observation.contention.locks[0].purpose, WaitPurpose::kAcquire);
  EXPECT_EQ(observation.resources.at(0).type, "pthread_rwlock_t");
}

// The word where the object begins: its row has the object's address with or without a reading.
TEST_F(ContentionTest, NamesOneObjectThoughItsFirstWordWasNotRead) {
  Counted(Key(0x1000), Totals({kSecond}));
  Counted(Key(0x1008), Totals({2 * kSecond}));
  ledger_.NoteReading(Waited(101, 0x1008, 2 * kSecond), Read(RwLock(0x1000)), {});
  const LockContention lock = BuildOne();
  EXPECT_EQ(lock.waits, Totals({kSecond, 2 * kSecond}));
  EXPECT_TRUE(lock.purpose_known);
  EXPECT_EQ(lock.purpose, WaitPurpose::kAcquire);
  EXPECT_EQ(Build().resources.at(0).kind, ResourceKind::kRwLock);
}

TEST_F(ContentionTest, KeepsLocksAtOneAddressOfTwoProcessesApart) {
  Counted(Key(0x1000), Totals({2 * kSecond}));
  Counted(Key(0x1000, kOther), Totals({kSecond}));
  const Observation observation = Build();
  ASSERT_THAT(observation.contention.locks, SizeIs(2));
  EXPECT_EQ(observation.contention.locks[0].waits, Totals({2 * kSecond}));
  EXPECT_EQ(observation.contention.locks[1].waits, Totals({kSecond}));
  EXPECT_THAT(observation.resources, SizeIs(2));
}

TEST_F(ContentionTest, KnowsASharedLockByItsPlaceInTheFile) {
  const MappedFile file{0x1a, 77};
  // Mapped twice in one process and once in another.
  for (const auto& [address, process] :
       {std::pair{0x1000, kApp}, {0x5000, kApp}, {0x9000, kOther}}) {
    const auto at = static_cast<std::uint64_t>(address);
    Counted(Key(at, process), Totals({kSecond}));
    ledger_.NoteReading(Waited(process + 1, at, kSecond, process),
                        Read(SharedMutex(at, 0, file, 0x40)), {});
  }
  const Observation observation = Build();
  ASSERT_THAT(observation.resources, SizeIs(1));
  EXPECT_EQ(observation.resources[0].id,
            (ResourceId{.shared = true, .device = 0x1a, .inode = 77, .offset = 0x40}));
  ASSERT_THAT(observation.contention.locks, SizeIs(2));
  EXPECT_EQ(observation.contention.locks[0].waits, Totals({kSecond, kSecond}));
  EXPECT_EQ(observation.contention.locks[1].waits, Totals({kSecond}));
  EXPECT_EQ(observation.contention.locks[1].resource, 0);
  EXPECT_NE(observation.contention.locks[0].process, observation.contention.locks[1].process);
}

// --- who ----------------------------------------------------------------------------------------

TEST_F(ContentionTest, TellsOfAProcessWhatIsKnown) {
  facts_[kApp] = {"/usr/bin/order-svc", "/system.slice/order.service", "c++", false};
  Counted(Key(0x1000), Totals({kSecond}));
  WaitSample wait = Waited(101, 0x1000, kSecond);
  wait.leader_name = "order\n";
  ledger_.NoteWait(wait);

  Process process;
  process.id = {kApp, 10 + kApp};
  process.ns_pid = 10;
  process.pid_ns = kHostNamespace;
  process.space = 1;
  process.name = "order?";
  process.executable = "/usr/bin/order-svc";
  process.cgroup = "/system.slice/order.service";
  process.unit = "order.service";
  process.language = "c++";
  process.selected = true;
  EXPECT_THAT(Build().processes, ElementsAre(process));
}

TEST_F(ContentionTest, KnowsAProcessWithoutRecordsByTheSweep) {
  Counted(Key(0x1000), Totals({kSecond}));
  Counted(Key(0x2000), Totals({kSecond}));
  Waiter(101, 0x3000, kSecond).syscall = SYS_read;
  const Observation observation = Build();
  ASSERT_THAT(observation.processes, SizeIs(1));
  EXPECT_EQ(observation.processes[0].id, (ThreadId{kApp, 10 + kApp}));
  EXPECT_EQ(observation.processes[0].name, "p100");
}

TEST_F(ContentionTest, KnowsAProcessThatIsGoneByItsPidAlone) {
  Counted(Key(0x1000), Totals({kSecond}));
  const Observation observation = Build();
  ASSERT_THAT(observation.processes, SizeIs(1));
  EXPECT_EQ(observation.processes[0].id, (ThreadId{kApp, 0}));
  EXPECT_EQ(observation.processes[0].name, "");
}

TEST_F(ContentionTest, SortsThreadsAndReleasersByTheTimeWaited) {
  Counted(Key(0x1000), Totals({}));
  ledger_.NoteWait(LetGo(Waited(101, 0x1000, kSecond), 103));
  ledger_.NoteWait(LetGo(Waited(102, 0x1000, 3 * kSecond), 101));
  ledger_.NoteWait(LetGo(Waited(101, 0x1000, 4 * kSecond), 103));
  WaitSample timed_out = Waited(103, 0x1000, 2 * kSecond);
  timed_out.name = "evil\x1b";
  ledger_.NoteWait(timed_out);
  const LockContention lock = BuildOne();
  EXPECT_THAT(lock.threads,
              ElementsAre(WaitingThread{{101, 111}, "t101", 2, 5 * kSecond, 4 * kSecond},
                          WaitingThread{{102, 112}, "t102", 1, 3 * kSecond, 3 * kSecond},
                          WaitingThread{{103, 113}, "evil?", 1, 2 * kSecond, 2 * kSecond}));
  EXPECT_THAT(lock.releasers, ElementsAre(Counterpart{103, kApp, "t103", 2, 5 * kSecond},
                                          Counterpart{101, kApp, "t101", 1, 3 * kSecond}));
}

TEST_F(ContentionTest, KeepsTwoThreadsOfOneTidApart) {
  Counted(Key(0x1000), Totals({}));
  WaitSample later = Waited(101, 0x1000, kSecond);
  later.id.start_time += kSecond;
  ledger_.NoteWait(Waited(101, 0x1000, 2 * kSecond));
  ledger_.NoteWait(later);
  EXPECT_THAT(BuildOne().threads, SizeIs(2));
}

// Only wakers of long waits come with a name.
TEST_F(ContentionTest, KeepsTheNameOfAReleaser) {
  Counted(Key(0x1000), Totals({}));
  WaitSample nameless = LetGo(Waited(101, 0x1000, kSecond), 103);
  nameless.waker->name.clear();
  ledger_.NoteWait(nameless);
  ledger_.NoteWait(LetGo(Waited(101, 0x1000, kSecond), 103));
  ledger_.NoteWait(nameless);
  EXPECT_THAT(BuildOne().releasers, ElementsAre(Counterpart{103, kApp, "t103", 3, 3 * kSecond}));
}

TEST_F(ContentionTest, ASampleOnlyMakesItsLockKnown) {
  Counted(Key(0x1000), Totals({500}));
  const WaitSample wait = Sampled(LetGo(Waited(101, 0x1000, 500), 102));
  ledger_.NoteWait(wait);
  ledger_.NoteReading(wait, Read(Mutex(0x1000, 102), StackAt(0x40'0000)), {});
  ledger_.NoteUnread(wait);
  const LockContention lock = BuildOne();
  EXPECT_TRUE(lock.purpose_known);
  EXPECT_EQ(lock.waits, Totals({500}));
  EXPECT_THAT(lock.threads, IsEmpty());
  EXPECT_THAT(lock.releasers, IsEmpty());
  EXPECT_THAT(lock.stacks, IsEmpty());
  EXPECT_THAT(Build().stacks, IsEmpty());
  EXPECT_EQ(ledger_.Find(Key(0x1000))->long_waits, nullptr);
}

TEST_F(ContentionTest, BoundsWhatItKeepsOfOneLock) {
  for (pid_t tid = 1000; tid < 1300; ++tid) {
    const WaitSample wait = LetGo(Waited(tid, 0x1000, kSecond), tid + 1000);
    ledger_.NoteWait(wait);
    const auto address = static_cast<std::uint64_t>(tid) << 12;
    ledger_.NoteReading(wait, Read(Mutex(0x1000, 0), StackAt(address)), {});
  }
  const ContentionLedger::Lock* lock = ledger_.Find(Key(0x1000));
  ASSERT_NE(lock, nullptr);
  EXPECT_THAT(lock->long_waits->threads, SizeIs(256));
  EXPECT_THAT(lock->long_waits->releasers, SizeIs(256));
  EXPECT_THAT(lock->long_waits->stacks, SizeIs(256));
  EXPECT_EQ(lock->long_waits->unread.waits, 44U);
  EXPECT_EQ(lock->long_waits->unread.total, 44 * kSecond);
  EXPECT_EQ(ledger_.overflowed(), 3U * 44);
}

// --- where --------------------------------------------------------------------------------------

TEST_F(ContentionTest, KeepsEqualStacksOnce) {
  Counted(Key(0x1000), Totals({}));
  Counted(Key(0x2000), Totals({}));
  for (const std::uint64_t address : {0x1000, 0x1000, 0x2000}) {
    ledger_.NoteReading(Waited(101, address, kSecond), Read(Mutex(address, 0), StackAt(0x40'0000)),
                        {});
  }
  Stack shorter = StackAt(0x40'0000);
  shorter.end = StackEnd::kTooDeep;
  ledger_.NoteReading(Waited(101, 0x2000, 5 * kSecond), Read(Mutex(0x2000, 0), shorter), {});
  const Observation observation = Build();
  EXPECT_THAT(observation.stacks, SizeIs(2));
  ASSERT_THAT(observation.contention.locks, SizeIs(2));
  const auto& first = observation.contention.locks[0].stacks;
  const auto& second = observation.contention.locks[1].stacks;
  ASSERT_THAT(first, SizeIs(1));
  EXPECT_EQ(first[0].waits, 2U);
  ASSERT_THAT(second, SizeIs(2));
  EXPECT_EQ(second[0].total, 5 * kSecond);
  EXPECT_NE(second[0].stack, first[0].stack);
  EXPECT_EQ(second[1], (WaitingStack{first[0].stack, 1, kSecond, kSecond}));
}

TEST_F(ContentionTest, NumbersModulesAnew) {
  const Module libc{"/lib/libc.so.6", "aa", false};
  const Module app{"/bin/app", "bb", false};
  Counted(Key(0x1000), Totals({}));
  const auto note = [&](DurationNs duration, const Stack& stack,
                        const std::vector<Module>& modules) {
    ledger_.NoteReading(Waited(101, 0x1000, duration), Read(Mutex(0x1000, 0), stack), modules);
  };
  note(4 * kSecond, StackAt(0x40'0000, 1), {libc, app});
  note(3 * kSecond, StackAt(0x70'0000, 0), {libc, app});
  note(2 * kSecond, StackAt(0x40'0000, 0), {app});  // the first one again
  note(1 * kSecond, StackAt(0x90'0000, 2), {libc, app});
  const Observation observation = Build();
  EXPECT_THAT(observation.modules, ElementsAre(app, libc));
  EXPECT_THAT(observation.stacks,
              ElementsAre(StackAt(0x40'0000, 0), StackAt(0x70'0000, 1), StackAt(0x90'0000)));
  EXPECT_THAT(observation.contention.locks.at(0).stacks,
              ElementsAre(WaitingStack{0, 2, 6 * kSecond, 4 * kSecond},
                          WaitingStack{1, 1, 3 * kSecond, 3 * kSecond},
                          WaitingStack{2, 1, 1 * kSecond, 1 * kSecond}));
}

TEST_F(ContentionTest, KeepsTheSixteenPlacesWithTheMostWaiting) {
  Counted(Key(0x1000), Totals({}));
  for (std::uint64_t i = 1; i <= 20; ++i) {
    ledger_.NoteReading(Waited(101, 0x1000, static_cast<DurationNs>(i) * kSecond),
                        Read(Mutex(0x1000, 0), StackAt(i << 12)), {});
  }
  const Observation observation = Build();
  EXPECT_THAT(observation.stacks, SizeIs(16));
  const auto& stacks = observation.contention.locks.at(0).stacks;
  ASSERT_THAT(stacks, SizeIs(16));
  for (std::size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(stacks[i].total, static_cast<DurationNs>(20 - i) * kSecond);
    EXPECT_EQ(observation.stacks[static_cast<std::size_t>(stacks[i].stack)],
              StackAt((20 - i) << 12));
  }
}

TEST_F(ContentionTest, CountsWhatHasNoStackAsUnread) {
  ledger_.NoteUnread(Waited(101, 0x1000, kSecond));
  ledger_.NoteReading(Waited(101, 0x1000, 3 * kSecond), Read(Mutex(0x1000, 0)), {});
  const ContentionLedger::Lock* lock = ledger_.Find(Key(0x1000));
  ASSERT_NE(lock, nullptr);
  EXPECT_EQ(lock->long_waits->unread.waits, 2U);
  EXPECT_EQ(lock->long_waits->unread.total, 4 * kSecond);
  EXPECT_EQ(lock->long_waits->unread.max, 3 * kSecond);
  EXPECT_THAT(lock->long_waits->stacks, IsEmpty());
  EXPECT_EQ(ledger_.overflowed(), 0U);
}

// --- waits in progress --------------------------------------------------------------------------

TEST_F(ContentionTest, CountsWhoWaitsNowSinceTheCountingBegan) {
  Waiter(101, 0x1000, 3 * kSecond);
  Waiter(102, 0x1000, 3600 * kSecond);
  Waiter(103, 0x1000, -kSecond);  // fell asleep after the sweep had begun
  const LockContention lock = BuildOne();
  EXPECT_EQ(lock.waiters, 3U);
  EXPECT_EQ(lock.waiting, 13 * kSecond);
  EXPECT_EQ(lock.waits, WaitTotals{});
  EXPECT_THAT(lock.threads, IsEmpty());
}

TEST_F(ContentionTest, CountsOnlyWaitersOfSelectedProcesses) {
  Counted(Key(0x1000, kOther), Totals({kSecond}));
  Waiter(201, 0x1000, kSecond, kOther);
  Waiter(202, 0x2000, kSecond, kOther);
  const LockContention lock = BuildOne();
  EXPECT_EQ(lock.waiters, 0U);
  EXPECT_EQ(lock.waiting, 0);
  selected_.insert(kOther);
  const Observation observation = Build();
  ASSERT_THAT(observation.contention.locks, SizeIs(2));
  EXPECT_EQ(observation.contention.locks[0].waiting, kSecond);
  EXPECT_EQ(observation.contention.locks[1].waiting, kSecond);
}

TEST_F(ContentionTest, CountsOnlyThreadsInAFutexWait) {
  Waiter(101, 0x1000, kSecond).syscall = SYS_epoll_wait;
  Waiter(102, 0x1000, kSecond).arguments[1] = FUTEX_WAKE | FUTEX_PRIVATE_FLAG;
  Waiter(103, 0x1000, kSecond).has_registers = false;
  TaskSample& running = Waiter(104, 0x1000, kSecond);
  running.asleep = false;
  running.state = RunState::kRunning;
  EXPECT_THAT(Build().contention.locks, IsEmpty());
  Waiter(105, 0x1000, kSecond).arguments[1] = FUTEX_LOCK_PI;
  EXPECT_EQ(BuildOne().waiters, 1U);
}

TEST_F(ContentionTest, TellsOfAWaiterWhatItsReadingTells) {
  Waiter(101, 0x1000, kSecond);
  ledger_.NoteLive(Key(0x1000), ProcessOf(Waited(101, 0x1000, 0)), Read(Mutex(0x1000, 102)));
  const Observation observation = Build();
  ASSERT_THAT(observation.resources, SizeIs(1));
  EXPECT_EQ(observation.resources[0].kind, ResourceKind::kMutex);
  EXPECT_TRUE(observation.contention.locks.at(0).purpose_known);
}

// --- beside a look ------------------------------------------------------------------------------

TEST_F(ContentionTest, UsesTheRowsOfALookThatItIsAddedTo) {
  Observation observation;
  observation.begin = 5;
  observation.modules = {{"/lib/a.so", "aa", false}, {"/lib/b.so", "bb", false}};
  observation.stacks.emplace_back();
  Process& other = observation.processes.emplace_back();
  other.id.tid = kOther;
  Process& app = observation.processes.emplace_back();
  app.id.tid = kApp;
  app.name = "as looked at";
  Resource& resource = observation.resources.emplace_back();
  resource.kind = ResourceKind::kRwLock;
  resource.id.space = history_.Space(SpaceOf(kApp));
  resource.id.address = 0x1000;
  resource.symbol = "g_routes";

  Counted(Key(0x1000), Totals({kSecond}));
  ledger_.NoteReading(Waited(101, 0x1000, kSecond), Read(Mutex(0x1000, 0), StackAt(0x10, 0)),
                      {{"/lib/b.so", "bb", false}});
  AddTo(observation);
  EXPECT_EQ(observation.begin, 5);
  ASSERT_THAT(observation.processes, SizeIs(2));
  EXPECT_EQ(observation.processes[1].name, "as looked at");
  ASSERT_THAT(observation.resources, SizeIs(1));
  EXPECT_EQ(observation.resources[0].kind, ResourceKind::kRwLock) << "as it is now";
  EXPECT_EQ(observation.resources[0].symbol, "g_routes");
  EXPECT_THAT(observation.modules, SizeIs(2));
  ASSERT_THAT(observation.contention.locks, SizeIs(1));
  const LockContention& lock = observation.contention.locks[0];
  EXPECT_EQ(lock.process, 1);
  EXPECT_EQ(lock.resource, 0);
  ASSERT_THAT(lock.stacks, SizeIs(1));
  EXPECT_EQ(lock.stacks[0].stack, 1);
  EXPECT_EQ(observation.stacks.at(1).frames.at(0).module, 1);
}

TEST_F(ContentionTest, TakesASemaphoreThatItsWaitersLetGoForALock) {
  for (const std::uint64_t by_waiters : {0, 3}) {
    counts_.clear();
    Counted(Key(0x1000), Totals({kSecond, kSecond, kSecond, kSecond}));
    counts_.front().by_waiters = by_waiters;
    ledger_.NoteReading(Waited(101, 0x1000, kSecond), Read(testing::Semaphore(0x1000)), {});
    EXPECT_EQ(BuildOne().purpose, by_waiters == 0 ? WaitPurpose::kEvent : WaitPurpose::kAcquire);
  }
}

}  // namespace
}  // namespace ct
