// Stories in which acquires and releases were followed.
#include <string>

#include "tests/unit/snapshot/story.h"

namespace ct::testing {
namespace {

constexpr std::string_view kLock = "pthread_mutex_lock@/usr/lib/libc.so.6";
constexpr std::string_view kStdLock = "std::mutex::lock()@/usr/include/c++/12/bits/std_mutex.h:100";

LockOrderSighting Sighting(const Story& s, ActorIndex thread, StackIndex held_at,
                           StackIndex wanted_at, DurationNs age) {
  LockOrderSighting sighting;
  const Actor& actor = s.observation.actors[static_cast<std::size_t>(thread)];
  sighting.thread = actor.id;
  sighting.thread_name = actor.name;
  sighting.held_at = held_at;
  sighting.wanted_at = wanted_at;
  sighting.at = Ago(age);
  return sighting;
}

void FollowHolds(Story& s) {
  s.observation.hold_activity.since = Ago(60 * kSecond);
  s.observation.hold_activity.long_hold = 200 * kMillisecond;
}

LongHold Long(const Story& s, ActorIndex thread, ResourceIndex resource, DurationNs duration,
              StackIndex acquired_at, StackIndex released_at) {
  LongHold hold;
  const Actor& actor = s.observation.actors[static_cast<std::size_t>(thread)];
  hold.resource = resource;
  hold.process = 0;
  hold.thread = actor.id;
  hold.thread_name = actor.name;
  hold.evidence = Evidence::kCertain;
  hold.duration = duration;
  hold.ended = released_at != kNoIndex;
  hold.since = Ago(hold.ended ? 20 * kSecond : duration);
  hold.acquired_at = acquired_at;
  hold.released_at = released_at;
  return hold;
}

}  // namespace

Told DeadlockWithLines() {
  Told told = TwoThreadDeadlock();
  Observation& observation = told.observation;
  Story s;
  s.observation = observation;
  const StackIndex account = s.Stack({kLock, kStdLock, "Audit::run()@/src/order/audit.cc:203"});
  const StackIndex ledger =
      s.Stack({kLock, kStdLock, "Ledger::post(Entry const&)@/src/order/ledger.cc:71"});
  observation = s.observation;
  for (Hold& hold : observation.holds) {
    const bool is_account = hold.resource == told.findings[0].resources[0];
    hold.acquired_at = is_account ? account : ledger;
    hold.since = Ago(is_account ? 671 * kSecond : 668 * kSecond);
    hold.evidence_note = "by an acquire that was seen";
  }
  return told;
}

Told Inversion() {
  Story s;
  FollowHolds(s);
  const auto process = s.Process("order-svc", 977);
  s.process(process).language = "c++";
  const auto idle =
      s.Stack({"epoll_wait@/usr/lib/libc.so.6", "io_loop(int)@/src/order/main.cc:30"});
  const auto writer = s.Thread(process, "writer", 981, idle);
  const auto audit = s.Thread(process, "audit", 990, idle);
  const auto ledger = s.Mutex("std::mutex", "g_ledger_mu");
  const auto account = s.HeapMutex("std::mutex", 0x55d0c8);
  s.observation.hold_activity.orders = {
      {ledger,
       account,
       process,
       {Sighting(
           s, writer,
           s.Stack({kLock, kStdLock, "Ledger::Post(Entry const&)@/src/order/ledger.cc:71",
                    "io_loop(int)@/src/order/main.cc:30"}),
           s.Stack({kLock, kStdLock, "AccountStore::Debit(long)@/src/order/account_store.cc:118",
                    "Ledger::Post(Entry const&)@/src/order/ledger.cc:75",
                    "io_loop(int)@/src/order/main.cc:30"}),
           48 * kSecond)},
       false},
      {account,
       ledger,
       process,
       {Sighting(s, audit, s.Stack({kLock, kStdLock, "Audit::Run()@/src/order/audit.cc:203"}),
                 s.Stack({kLock, kStdLock, "Ledger::Append(Entry const&)@/src/order/ledger.cc:40",
                          "Audit::Run()@/src/order/audit.cc:207"}),
                 31 * kSecond)},
       false}};
  return {s.observation, {}};
}

Told InversionOfForty() {
  Story s;
  FollowHolds(s);
  const auto process = s.Process("philosophers", 977);
  const auto idle = s.Stack({"dine@/src/dine.c:20"});
  std::vector<ResourceIndex> forks;
  for (int i = 0; i < 40; ++i) {
    forks.push_back(s.Mutex("pthread_mutex_t", "forks+" + std::to_string(40 * i)));
  }
  const auto left = s.Stack({kLock, "dine@/src/dine.c:33"});
  const auto right = s.Stack({kLock, "dine@/src/dine.c:35"});
  for (std::size_t i = 0; i < 40; ++i) {
    const auto thread =
        s.Thread(process, "p" + std::to_string(i), 980 + static_cast<pid_t>(i), idle);
    s.observation.hold_activity.orders.push_back({forks[i],
                                                  forks[(i + 1) % 40],
                                                  process,
                                                  {Sighting(s, thread, left, right, kSecond)},
                                                  false});
  }
  return {s.observation, {}};
}

Told LongHolds() {
  Story s;
  FollowHolds(s);
  const auto process = s.Process("order-svc", 977);
  const auto flush = s.Stack({"fsync@/usr/lib/libc.so.6", "Wal::flush()@/src/wal.cc:140"});
  const auto io = s.Thread(process, "io-7", 985, flush);
  s.actor(io).syscall = {74, "fsync", "file /srv/wal", {}};
  const auto worker = s.Thread(process, "worker-1", 990, flush);
  const auto wal = s.Mutex("std::mutex", "g_wal_mu");
  const auto row = s.HeapMutex("std::mutex", 0x55d0c8);
  const auto other_row = s.HeapMutex("std::mutex", 0x55d1c8);
  const auto take = s.Stack({kLock, kStdLock, "Wal::flush()@/src/wal.cc:133"});
  const auto give =
      s.Stack({"pthread_mutex_unlock@/usr/lib/libc.so.6", "Wal::flush()@/src/wal.cc:150"});
  const auto save = s.Stack({kLock, kStdLock, "Row::save(long)@/src/row.cc:12"});
  HoldActivity& activity = s.observation.hold_activity;
  activity.long_holds = {
      Long(s, io, wal, 4'200 * kMillisecond, take, kNoIndex),
      Long(s, worker, wal, 900 * kMillisecond, take, give),
      Long(s, worker, wal, 700 * kMillisecond, take, give),
      Long(s, worker, row, 300 * kMillisecond, save, save),
      Long(s, io, other_row, 250 * kMillisecond, save, kNoIndex),
  };
  activity.resources = {{row, process, {40, 9 * kSecond, 300 * kMillisecond}, 0},
                        {wal, process, {1'200'345, 40 * kSecond, 900 * kMillisecond}, 2},
                        {other_row, process, {}, 0}};
  return {s.observation, {}};
}

Told PoolOfThree() {
  Story s;
  FollowHolds(s);
  const auto process = s.Process("report", 977);
  const auto pool = s.HeapMutex("ConnectionPool", 0x55d0c8);
  Resource& resource = s.resource(pool);
  resource.kind = ResourceKind::kPool;
  resource.implementation = Implementation::kUnknown;
  resource.capacity = resource.in_use = resource.high_water = 3;
  for (pid_t i = 0; i < 4; ++i) {
    const bool holds = i < 3;
    const auto stack = s.Stack(
        {"pthread_cond_wait@/usr/lib/libc.so.6", "ConnectionPool::acquire()@/src/pool.cc:20",
         holds ? "Report::totals()@/src/report.cc:60" : "Report::run()@/src/report.cc:31"});
    s.observation.stacks.back().frames[1].of_pool = true;
    const auto thread = s.Thread(process, "report-" + std::to_string(i), 981 + i, stack);
    s.Wait(thread, pool, (50 + i) * kSecond);
    if (!holds) continue;
    const auto taken =
        s.Stack({"ConnectionPool::acquire()@/src/pool.cc:20", "Report::run()@/src/report.cc:31"});
    s.observation.stacks.back().frames[0].of_pool = true;
    s.Hold(thread, pool);
    Hold& hold = s.observation.holds.back();
    hold.acquired_at = taken;
    hold.since = Ago((60 + i) * kSecond);
    hold.evidence_note = "by an acquire that was seen";
  }
  s.observation.hold_activity.resources = {{pool, process, {12, 3 * kSecond, kSecond}, 0}};
  return {s.observation, {}};
}

Told BusyHolds() {
  Told told = NothingFound();
  Story s;
  s.observation = told.observation;
  FollowHolds(s);
  for (int i = 0; i < 24; ++i) {
    const auto lock = s.Mutex("pthread_mutex_t", "locks+" + std::to_string(40 * i));
    s.observation.hold_activity.resources.push_back(
        {lock, 0, {1000, (i + 1) * kMillisecond, kMillisecond}, 0});
  }
  const auto slots = s.Mutex("sem_t", "g_slots");
  s.resource(slots).kind = ResourceKind::kSemaphore;
  s.resource(slots).in_use = 2;
  s.resource(slots).high_water = 4;
  s.observation.hold_activity.resources.push_back({slots, 0, {77, kSecond, 40 * kMillisecond}, 1});
  return {s.observation, {}};
}

}  // namespace ct::testing
