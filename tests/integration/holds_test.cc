// The kernel side of holds, on functions of this program's own: what a thread has, what travels,
// and that nothing stays behind. It runs on every kernel of the VM matrix, too.
#include "kernel/holds.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tests/integration/harness.h"

// Written out: the probes go to their first bytes and to their return instructions.
asm(R"(
  .text
  .macro hold_function name
  .globl \name
  .type \name, @function
\name:
  push %rbp
  pop %rbp
\name\()_return:
  mov %rsi, %rax
  ret
  .size \name, . - \name
  .endm
  hold_function hold_lock
  hold_function hold_try_lock
  hold_function hold_unlock
  hold_function hold_wait_condition
  hold_function hold_destroy
  hold_function hold_get_unit
  hold_function hold_put_unit
  .globl hold_call
  .type hold_call, @function
hold_call:
  push %rbp
  pop %rbp
  sub $8, %rsp
  call *%rsi
  add $8, %rsp
  ret
  .size hold_call, . - hold_call
)");

extern "C" {
std::uint64_t hold_lock(void* lock, std::uint64_t result);
std::uint64_t hold_try_lock(void* lock, std::uint64_t result);
std::uint64_t hold_unlock(void* lock, std::uint64_t unit);
std::uint64_t hold_wait_condition(void* mutex, std::uint64_t result);
std::uint64_t hold_destroy(void* lock, std::uint64_t result);
std::uint64_t hold_get_unit(void* pool, std::uint64_t unit);
std::uint64_t hold_put_unit(void* pool, std::uint64_t unit);
void hold_call(void* lock, void (*inside)());  // an acquire that calls something
}

namespace ct::test {
namespace {

constexpr std::uint64_t kReturnOffset = 5;  // push, pop, mov: 1 + 1 + 3 bytes

struct OwnLock {
  std::uint32_t state = 0;
  std::uint32_t owner = 0;
};

std::uint32_t OwnTid() { return static_cast<std::uint32_t>(syscall(SYS_gettid)); }

// As a mutex does it, where nobody else wants it.
void Lock(OwnLock& lock) {
  hold_lock(&lock, 0);
  lock.state = 1;
  lock.owner = OwnTid();
}
void Unlock(OwnLock& lock) {
  hold_unlock(&lock, 0);
  lock.owner = 0;
  lock.state = 0;
}

template <class Function>
HoldProbe ProbeOf(Function function, HoldRole role) {
  const auto address = reinterpret_cast<std::uint64_t>(function);
  std::ifstream maps("/proc/self/maps");
  HoldProbe probe;
  probe.family = "own";
  probe.role = role;
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    unsigned long offset = 0;
    if (sscanf(line.c_str(), "%lx-%lx %*s %lx", &begin, &end, &offset) != 3) continue;
    if (address < begin || address >= end) continue;
    struct stat status {};
    stat("/proc/self/exe", &status);
    probe.site.map_begin = begin;
    probe.site.map_end = end;
    probe.site.inode = status.st_ino;
    probe.site.function_offset = probe.site.entry_offset = address - begin + offset;
    probe.site.entry_address = address;
  }
  return probe;
}

class Holds : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto features = ProbeFeatures(without_);
    ASSERT_TRUE(features) << features.error().message;
    auto plan = PlanHolds(*features);
    ASSERT_TRUE(plan) << plan.error().message;
    plan->long_hold = 300 * kMillisecond;
    auto tracer = HoldTracer::Load(*plan);
    ASSERT_TRUE(tracer) << tracer.error().message;
    tracer_ = std::move(*tracer);
  }

  ProbeId Arm(HoldProbe probe) {
    const auto id = tracer_->Arm(getpid(), probe);
    if (!id) throw std::runtime_error(id.error().message);
    return *id;
  }
  void ArmLock() {
    release_ = Arm(ProbeOf(&hold_unlock, HoldRole::kRelease));
    HoldProbe acquire = ProbeOf(&hold_lock, HoldRole::kAcquire);
    acquire.success = SuccessRule::kOwnerWord;
    acquire.owner = {true, 0, true, 4, false};
    acquire_ = Arm(acquire);
  }
  void ArmTry() {
    HoldProbe probe = ProbeOf(&hold_try_lock, HoldRole::kTryAcquire);
    probe.success = SuccessRule::kOwnerWord;
    probe.owner = {true, 0, true, 4, false};
    Arm(probe);
  }
  void ArmSemaphore() {
    HoldProbe probe = ProbeOf(&hold_unlock, HoldRole::kRelease);
    probe.kind = ResourceKind::kSemaphore;
    Arm(probe);
    probe = ProbeOf(&hold_destroy, HoldRole::kEnd);
    probe.kind = ResourceKind::kSemaphore;
    Arm(probe);
    probe = ProbeOf(&hold_lock, HoldRole::kAcquire);
    probe.kind = ResourceKind::kSemaphore;
    probe.success = SuccessRule::kReturns;
    Arm(probe);
  }
  void ExpectOneHoldIsCounted() {
    OwnLock lock;
    Lock(lock);
    EXPECT_EQ(Own().size(), 1U);
    Unlock(lock);
    EXPECT_EQ(CountOf(&lock).holds.holds, 1U);
  }
  void ArmPool() {
    HoldProbe release = ProbeOf(&hold_put_unit, HoldRole::kRelease);
    release.family = "pool";
    release.kind = ResourceKind::kPool;
    release.has_unit = true;
    Arm(release);
    HoldProbe acquire = ProbeOf(&hold_get_unit, HoldRole::kAcquire);
    acquire.family = "pool";
    acquire.kind = ResourceKind::kPool;
    acquire.has_unit = true;
    acquire.success = SuccessRule::kReturnValue;
    acquire.succeeds = ReturnValue::kNonZero;
    acquire.site.returns = {acquire.site.entry_offset + kReturnOffset};
    Arm(acquire);
  }

  // What this thread has, or asks for.
  std::vector<HeldObject> Own() { return Of(static_cast<pid_t>(OwnTid())); }
  std::vector<HeldObject> Of(pid_t tid) {
    const auto threads = tracer_->Threads();
    EXPECT_TRUE(threads);
    for (const ThreadHolds& thread : *threads) {
      if (thread.tid == tid) return thread.held;
    }
    return {};
  }
  HoldCount CountOf(const void* object) {
    const auto counts = tracer_->Counts();
    EXPECT_TRUE(counts);
    for (const HoldCount& count : *counts) {
      if (count.key.address == reinterpret_cast<std::uint64_t>(object)) return count;
    }
    return {};
  }
  std::vector<HoldEvent> Events() {
    SleepFor(std::chrono::milliseconds(50));
    EXPECT_TRUE(tracer_->Receive());
    return tracer_->Take();
  }
  // "order A B" of each event; locks by the names that they were given.
  std::vector<std::string> Told(std::initializer_list<std::pair<const void*, const char*>> names) {
    const auto name = [&](std::uint64_t address) -> std::string {
      for (const auto& [object, text] : names) {
        if (reinterpret_cast<std::uint64_t>(object) == address) return text;
      }
      return "?";
    };
    std::vector<std::string> told;
    for (const HoldEvent& event : Events()) {
      switch (event.kind) {
        case HoldEventKind::kOrder: {
          std::string text = "order " + name(event.held.address) + " " + name(event.wanted);
          for (const std::uint64_t guard : event.guards) text += " guard " + name(guard);
          told.push_back(text);
          break;
        }
        case HoldEventKind::kLongHold:
          told.push_back("long hold " + name(event.held.address));
          break;
        case HoldEventKind::kEnded:
          told.push_back("ended " + name(event.wanted));
          break;
      }
    }
    return told;
  }
  void ExpectNoLoss() {
    const auto counters = tracer_->Counters();
    ASSERT_TRUE(counters);
    EXPECT_EQ(counters->produced, counters->received + counters->lost_ring);
    EXPECT_EQ(counters->lost_ring + counters->lost_thread + counters->lost_held +
                  counters->lost_lock + counters->lost_edge + counters->lost_unit +
                  counters->malformed,
              0U);
  }

  std::vector<std::string> without_;
  std::unique_ptr<HoldTracer> tracer_;
  ProbeId acquire_ = 0;
  ProbeId release_ = 0;
};

class HoldsWithoutCookies : public Holds {
 protected:
  HoldsWithoutCookies() { without_ = {"attach_cookie"}; }
};

class HoldsByPerfEvents : public Holds {
 protected:
  HoldsByPerfEvents() { without_ = {"uprobe_multi"}; }
};

TEST_F(Holds, CostsAreMeasured) {
  EXPECT_GT(tracer_->costs().emulated, 0);
  EXPECT_GT(tracer_->costs().single_stepped, tracer_->costs().emulated);
}

TEST_F(Holds, ALockIsHeldFromItsAcquireToItsRelease) {
  ArmLock();
  OwnLock lock;
  const TimeNs before = MonotonicNow();
  Lock(lock);
  const auto held = Own();
  ASSERT_EQ(held.size(), 1U);
  EXPECT_EQ(held[0].address, reinterpret_cast<std::uint64_t>(&lock));
  EXPECT_EQ(held[0].probe, acquire_);
  EXPECT_FALSE(held[0].contended);
  EXPECT_GE(held[0].asked, before);
  ASSERT_TRUE(held[0].place);
  EXPECT_EQ(held[0].place->registers.pc(), reinterpret_cast<std::uint64_t>(&hold_lock));
  EXPECT_EQ(held[0].place->stack.size(), 256U);
  SleepFor(std::chrono::milliseconds(2));
  Unlock(lock);
  EXPECT_TRUE(Own().empty());
  const HoldCount count = CountOf(&lock);
  EXPECT_EQ(count.holds.holds, 1U);
  EXPECT_GE(count.holds.max, 2 * kMillisecond);
  EXPECT_EQ(Told({}), std::vector<std::string>{});
  ExpectNoLoss();
}

TEST_F(HoldsWithoutCookies, AreFollowedByAddress) {
  ArmLock();
  ExpectOneHoldIsCounted();
}

TEST_F(HoldsByPerfEvents, AreTheSame) {
  ArmLock();
  ArmPool();
  ExpectOneHoldIsCounted();
  int pool = 0;
  std::thread([&] { hold_get_unit(&pool, 5); }).join();
  SleepFor(std::chrono::milliseconds(20));
  EXPECT_EQ(CountOf(&pool).exits, 1U);
  tracer_->Disarm({acquire_, release_});
  OwnLock lock;
  Lock(lock);
  EXPECT_TRUE(Own().empty());
}

// Three that it asks for at a time, one within the other; it gets none, and asks for none any more.
TEST_F(Holds, AcquiresInsideOfOthersAreAllSettled) {
  ArmLock();
  HoldProbe outer = ProbeOf(&hold_call, HoldRole::kAcquire);
  outer.success = SuccessRule::kOwnerWord;
  outer.owner = {true, 0, true, 4, false};
  Arm(outer);
  static std::array<OwnLock, 4> locks;
  hold_call(&locks[0], [] {
    hold_call(&locks[1], [] {
      hold_lock(&locks[2], 0);
      hold_lock(&locks[3], 0);
    });
  });
  OwnLock last;
  Lock(last);
  EXPECT_EQ(Own().size(), 1U);
  Unlock(last);
  EXPECT_TRUE(Own().empty());
}

// What was acquired of a semaphore says nothing about the next one at its address.
TEST_F(Holds, ASemaphoreThatIsMadeAnewIsAnotherOne) {
  ArmSemaphore();
  int semaphore = 0;
  for (int i = 0; i < 3; ++i) {
    hold_lock(&semaphore, 0);
    hold_unlock(&semaphore, 0);
  }
  EXPECT_EQ(CountOf(&semaphore).uses, 3U);
  EXPECT_EQ(CountOf(&semaphore).made, 0);
  const TimeNs before = MonotonicNow();
  hold_destroy(&semaphore, 0);
  EXPECT_EQ(CountOf(&semaphore).uses, 0U);
  EXPECT_GE(CountOf(&semaphore).made, before);
  EXPECT_EQ(CountOf(&semaphore).holds.holds, 3U);
  hold_lock(&semaphore, 0);
  hold_unlock(&semaphore, 0);
  EXPECT_EQ(CountOf(&semaphore).uses, 1U);
}

// Whether it was acquired is known by the next thing that happens on the thread.
TEST_F(Holds, WhoDidNotGetItDoesNotHaveIt) {
  ArmLock();
  ArmTry();
  OwnLock taken{1, 1};
  OwnLock other;
  hold_try_lock(&taken, 16);
  Lock(other);
  const auto held = Own();
  ASSERT_EQ(held.size(), 1U);
  EXPECT_EQ(held[0].address, reinterpret_cast<std::uint64_t>(&other));
  Unlock(other);
}

TEST_F(Holds, AnOrderIsToldOnceWithItsGuards) {
  ArmLock();
  ArmTry();
  OwnLock a, b, c, tried;
  for (int i = 0; i < 100; ++i) {
    Lock(a);
    Lock(b);
    Lock(c);
    Unlock(b);  // hand over hand
    Unlock(c);
    Unlock(a);
  }
  EXPECT_EQ(Told({{&a, "a"}, {&b, "b"}, {&c, "c"}}),
            (std::vector<std::string>{"order a b", "order a c guard b", "order b c guard a"}));
  // Nobody waits in a try.
  Lock(a);
  hold_try_lock(&tried, 0);
  tried = {1, OwnTid()};
  Lock(b);
  Unlock(b);
  Unlock(tried);
  Unlock(a);
  EXPECT_EQ(Told({{&a, "a"}, {&b, "b"}, {&tried, "tried"}}),
            (std::vector<std::string>{"order a b guard tried", "order tried b guard a"}));
  // By another thread, it is told again; by hundreds of them, not hundreds of times.
  for (int i = 0; i < 100; ++i) {
    std::thread([&] {
      Lock(a);
      Lock(b);
      Unlock(b);
      Unlock(a);
    }).join();
  }
  EXPECT_LE(Told({{&a, "a"}, {&b, "b"}}).size(), 8U);
  ExpectNoLoss();
}

TEST_F(Holds, AnOrderComesWithBothStacks) {
  ArmLock();
  OwnLock a, b;
  Lock(a);
  Lock(b);
  const auto events = Events();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].id.tid, static_cast<pid_t>(OwnTid()));
  EXPECT_EQ(events[0].leader.tid, getpid());
  ASSERT_TRUE(events[0].held.place);
  EXPECT_EQ(events[0].held.place->stack.size(), 256U);
  EXPECT_GE(events[0].now.stack.size(), 1024U);  // the main thread's may end there
  EXPECT_EQ(events[0].now.registers.pc(), reinterpret_cast<std::uint64_t>(&hold_lock));
  // The return address is on top of both.
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  std::memcpy(&first, events[0].held.place->stack.data(), sizeof(first));
  std::memcpy(&second, events[0].now.stack.data(), sizeof(second));
  EXPECT_NE(first, 0U);
  EXPECT_NE(second, 0U);
  Unlock(b);
  Unlock(a);
}

TEST_F(Holds, ALongHoldIsToldWhenItEnds) {
  ArmLock();
  OwnLock lock;
  Lock(lock);
  SleepFor(std::chrono::milliseconds(350));
  EXPECT_EQ(Told({{&lock, "lock"}}), std::vector<std::string>{});
  Unlock(lock);
  EXPECT_EQ(Told({{&lock, "lock"}}), std::vector<std::string>{"long hold lock"});
}

// It had waited for it: the hold began when the one before let go.
TEST_F(Holds, AContendedHoldBeginsWithTheReleaseBefore) {
  ArmLock();
  OwnLock lock;
  Lock(lock);
  std::atomic<pid_t> tid = 0;
  std::atomic<bool> asked = false;
  std::atomic<bool> done = false;
  std::thread waiter([&] {
    tid = static_cast<pid_t>(OwnTid());
    hold_lock(&lock, 0);
    asked = true;
    while (lock.owner != OwnTid()) std::this_thread::yield();
    OwnLock other;
    Lock(other);  // by now it is known
    while (!done) std::this_thread::yield();
    Unlock(other);
    Unlock(lock);
  });
  while (!asked) std::this_thread::yield();
  SleepFor(std::chrono::milliseconds(20));
  const TimeNs let_go = MonotonicNow();
  Unlock(lock);
  lock = {1, static_cast<std::uint32_t>(tid.load())};
  SleepFor(std::chrono::milliseconds(10));
  const auto held = Of(tid);
  done = true;
  waiter.join();
  ASSERT_EQ(held.size(), 2U);
  EXPECT_TRUE(held[0].contended);
  EXPECT_FALSE(held[0].since_is_bound);
  EXPECT_GE(held[0].since, let_go);
  EXPECT_LT(held[0].since, let_go + 10 * kMillisecond);
}

TEST_F(Holds, ACondition) {
  ArmLock();
  HoldProbe wait = ProbeOf(&hold_wait_condition, HoldRole::kConditionWait);
  wait.success = SuccessRule::kReturnValue;
  wait.owner = {true, 0, true, 4, false};
  wait.site.returns = {wait.site.entry_offset + kReturnOffset};
  Arm(wait);
  OwnLock mutex, outer;
  Lock(outer);
  Lock(mutex);
  hold_wait_condition(&mutex, 0);
  EXPECT_EQ(CountOf(&mutex).holds.holds, 1U);
  EXPECT_EQ(Own().size(), 2U);
  Unlock(mutex);
  Unlock(outer);
  EXPECT_EQ(CountOf(&mutex).holds.holds, 2U);
  // To take it back is no new order.
  EXPECT_EQ(Told({{&outer, "outer"}, {&mutex, "mutex"}}),
            std::vector<std::string>{"order outer mutex"});
}

// Above a new thread's first frames there is hardly more than its own descriptor.
TEST_F(Holds, OfAStackAsMuchAsThereIsTravels) {
  ArmLock();
  OwnLock a, b;
  const auto take_both = [&] {
    Lock(a);
    Lock(b);
    Unlock(b);
    Unlock(a);
  };
  const auto stack_of_last = [this] {
    std::size_t bytes = 0;
    for (const HoldEvent& event : Events()) bytes = event.now.stack.size();
    return bytes;
  };
  std::thread(take_both).join();
  const std::size_t shallow = stack_of_last();
  EXPECT_GT(shallow, 0U);
  std::thread([&] {
    std::array<volatile char, 10'000> room;
    for (volatile char& byte : room) byte = 1;  // what was never touched is not there
    take_both();
    room.front() = 2;
  }).join();
  EXPECT_GT(stack_of_last(), 10'000U);
}

TEST_F(Holds, TheEndOfALockInAnOrderIsTold) {
  ArmLock();
  Arm(ProbeOf(&hold_destroy, HoldRole::kEnd));
  OwnLock a, b, alone;
  Lock(a);
  Lock(b);
  Unlock(b);
  Unlock(a);
  hold_destroy(&alone, 0);
  hold_destroy(&b, 0);
  EXPECT_EQ(Told({{&a, "a"}, {&b, "b"}, {&alone, "alone"}}),
            (std::vector<std::string>{"order a b", "ended b"}));
  const HoldKey lock{0, reinterpret_cast<std::uint64_t>(&b), getpid(), 0};
  tracer_->ForgetOrders({&lock, 1});
  Lock(a);
  Lock(b);
  Unlock(b);
  Unlock(a);
  EXPECT_EQ(Told({{&a, "a"}, {&b, "b"}}), std::vector<std::string>{"order a b"});
}

TEST_F(Holds, APoolsUnits) {
  ArmPool();
  int pool = 0;
  hold_get_unit(&pool, 0);  // none left
  EXPECT_TRUE(Own().empty());
  hold_get_unit(&pool, 77);
  hold_get_unit(&pool, 78);
  auto held = Own();
  ASSERT_EQ(held.size(), 2U);
  EXPECT_EQ(held[0].unit, 77U);
  EXPECT_EQ(held[1].unit, 78U);
  EXPECT_EQ(CountOf(&pool).in_use, 2);
  hold_put_unit(&pool, 77);
  held = Own();
  ASSERT_EQ(held.size(), 1U);
  EXPECT_EQ(held[0].unit, 78U);
  // Another thread gives back what this one was handed out.
  std::thread([&] { hold_put_unit(&pool, 78); }).join();
  EXPECT_TRUE(Own().empty());
  const HoldCount count = CountOf(&pool);
  EXPECT_EQ(count.in_use, 0);
  EXPECT_EQ(count.high_water, 2);
  ExpectNoLoss();
}

TEST_F(Holds, WhoEndsWithAUnitIsCounted) {
  ArmPool();
  int pool = 0;
  std::thread([&] { hold_get_unit(&pool, 5); }).join();
  SleepFor(std::chrono::milliseconds(20));
  EXPECT_EQ(CountOf(&pool).exits, 1U);
  EXPECT_EQ(CountOf(&pool).in_use, 1);
}

TEST_F(Holds, AReleaseByAnotherThreadInventsNoHolder) {
  ArmLock();
  OwnLock lock;
  Lock(lock);
  std::thread([&] { hold_unlock(&lock, 0); }).join();
  EXPECT_EQ(CountOf(&lock).foreign_releases, 0U);  // never acquired, so far as was seen to succeed
  lock = {};
  OwnLock other;
  Lock(other);  // the owner's word says that it is not this thread's
  const auto held = Own();
  ASSERT_EQ(held.size(), 1U);
  EXPECT_EQ(held[0].address, reinterpret_cast<std::uint64_t>(&other));
  Unlock(other);
}

TEST_F(Holds, MoreThanAreFollowedAreCounted) {
  ArmLock();
  std::array<OwnLock, 40> locks;
  for (OwnLock& lock : locks) Lock(lock);
  EXPECT_EQ(Own().size(), 32U);
  for (OwnLock& lock : locks) Unlock(lock);
  EXPECT_TRUE(Own().empty());
  const auto counters = tracer_->Counters();
  ASSERT_TRUE(counters);
  EXPECT_EQ(counters->lost_held, 8U);
}

TEST_F(Holds, WhatIsTakenOffIsForgotten) {
  ArmLock();
  OwnLock lock;
  Lock(lock);
  EXPECT_EQ(Own().size(), 1U);
  tracer_->Disarm({acquire_, release_});
  EXPECT_TRUE(Own().empty());
  hold_unlock(&lock, 0);
  lock = {};
  const auto hits = tracer_->Hits();
  ASSERT_TRUE(hits);
  EXPECT_EQ((*hits)[acquire_].entries, 1U);
  EXPECT_EQ((*hits)[release_].entries, 0U);
  // Armed anew, it is as if nothing had been.
  ArmLock();
  Lock(lock);
  EXPECT_EQ(Own().size(), 1U);
  Unlock(lock);
}

}  // namespace
}  // namespace ct::test
