// Pools by their own account, and the way from a stack to their units, on a heap made of bytes.
#include <gtest/gtest.h>

#include "runtimes/cpython/pool_accounts.h"
#include "runtimes/cpython/unit_search.h"
#include "tests/unit/runtimes/fake_heap.h"

namespace ct::cpython {
namespace {

constexpr std::uint64_t kManagedDict = 1 << 4;

class Pools : public testing::Test {
 protected:
  using Attributes = std::vector<std::pair<std::string, Address>>;

  Address Object(const std::string& type, const Attributes& attributes) {
    const Address object = fake_.New(64, fake_.NewType(type, kManagedDict));
    SetAttributes(object, attributes);
    return object;
  }
  void SetAttributes(Address object, const Attributes& attributes) {
    fake_.memory.Write(object - 24, fake_.Dict(attributes));
  }
  Address Int(std::uint32_t value) {
    if (int_ == 0) int_ = fake_.NewType("int", 1 << 24);
    const Address number = fake_.New(32, int_);
    fake_.memory.Write<std::uint64_t>(number + 16, 1);
    fake_.memory.Write(number + 24, value);
    return number;
  }
  Address None() {
    if (none_ == 0) none_ = fake_.NewType("NoneType", 0);
    return fake_.New(16, none_);
  }
  std::vector<UnitSearch::Found> Search(Address root, Address unit) {
    UnitSearch search(
        fake_.heap, frames_, [&](Address object) { return object == unit ? unit : 0; }, barred_,
        stacks_);
    auto found = search.From({{root, 0}});
    complete_ = search.complete();
    return found;
  }

  FakeHeap fake_;
  CodeCache codes_{fake_.heap};
  FrameReader frames_{fake_.heap, codes_};
  std::unordered_set<Address> barred_;
  std::unordered_set<Address> stacks_;
  bool complete_ = false;
  Address int_ = 0, none_ = 0;
};

TEST_F(Pools, OfHoldersKnowWhichAreInUse) {
  const Address connection = Object("asyncpg.connection.Connection", {});
  const Address proxy = Object("asyncpg.pool.PoolConnectionProxy", {});
  const Address used =
      Object("asyncpg.pool.PoolConnectionHolder",
             {{"_in_use", Object("_asyncio.Future", {})}, {"_con", connection}, {"_proxy", proxy}});
  const Address free = Object("asyncpg.pool.PoolConnectionHolder", {{"_in_use", None()}});
  const Address queue = Object("asyncio.queues.LifoQueue", {{"_queue", fake_.List({free})}});
  const Address pool =
      Object("asyncpg.pool.Pool",
             {{"_holders", fake_.List({used, free})}, {"_maxsize", Int(2)}, {"_queue", queue}});
  const auto account = ReadPoolAccount(fake_.heap, pool);
  ASSERT_TRUE(account);
  EXPECT_EQ(account->capacity, 2U);
  EXPECT_EQ(account->in_use, 1U);
  EXPECT_EQ(account->idle_count, 1U);
  EXPECT_EQ(account->units.size(), 3U);
  EXPECT_EQ(account->units.at(proxy), connection);
  EXPECT_EQ(account->units.at(used), connection);
}

TEST_F(Pools, OfOverflowCountWhatIsNotInTheQueue) {
  const Address queue =
      Object("sqlalchemy.util.queue.Queue",
             {{"queue", fake_.Deque({Object("a.Record", {})})}, {"maxsize", Int(5)}});
  const Address pool =
      Object("sqlalchemy.pool.impl.QueuePool",
             {{"_pool", queue}, {"_overflow", Int(3)}, {"_max_overflow", Int(10)}});
  const auto account = ReadPoolAccount(fake_.heap, pool);
  ASSERT_TRUE(account);
  EXPECT_EQ(account->capacity, 15U);
  EXPECT_EQ(account->in_use, 7U);
  EXPECT_EQ(account->back_reference, "_ConnectionRecord__pool");
}

TEST_F(Pools, WhatKeepsNoAccountIsNone) {
  EXPECT_FALSE(ReadPoolAccount(fake_.heap, Object("app.Shop", {{"name", fake_.Str("x")}})));
  EXPECT_FALSE(ReadPoolAccount(fake_.heap, 0));
  EXPECT_FALSE(ReadPoolAccount(fake_.heap, 0xdead0000));
}

TEST_F(Pools, TheShortestWayToAUnit) {
  const Address unit = Object("a.Connection", {});
  const Address session = Object("a.Session", {{"connections", fake_.List({fake_.Tuple({unit})})}});
  const Address request = Object(
      "a.Request", {{"state", Object("a.State", {{"session", session}})}, {"session", session}});
  const auto found = Search(request, unit);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].unit, unit);
  EXPECT_EQ(found[0].hops, 2U);
  EXPECT_EQ(found[0].path, (std::vector<Address>{request, session, unit}));
  EXPECT_TRUE(complete_);
}

TEST_F(Pools, NotThroughThePoolNorInCircles) {
  const Address unit = Object("a.Connection", {});
  const Address pool = Object("a.Pool", {{"used", fake_.List({unit})}});
  const Address circle = Object("a.Node", {});
  const Address list = fake_.List({circle, pool});
  SetAttributes(circle, {{"nodes", list}, {"self", circle}});
  barred_ = {pool};
  EXPECT_TRUE(Search(circle, unit).empty());
  EXPECT_TRUE(complete_);
}

TEST_F(Pools, ALongContainerIsNotSearchedToItsEnd) {
  std::vector<Address> many(300);
  for (Address& each : many) each = Object("a.Row", {});
  EXPECT_TRUE(Search(fake_.List(many), many.back()).empty());
  EXPECT_FALSE(complete_);
}

TEST_F(Pools, ListsInListsEndSomewhere) {
  Address nested = fake_.List({});
  for (int i = 0; i < 100'000; ++i) nested = fake_.List({nested});
  EXPECT_TRUE(Search(nested, 1).empty());
}

}  // namespace
}  // namespace ct::cpython
