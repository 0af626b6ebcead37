// What is remembered of holds.
#include "observe/hold_book.h"

#include <gtest/gtest.h>

namespace ct {
namespace {

HoldEvent Order(pid_t tid, std::uint64_t held, std::uint64_t wanted,
                std::vector<std::uint64_t> guards = {}) {
  HoldEvent event;
  event.id = {tid, 1};
  event.leader = {100, 1};
  event.name = "worker";
  event.space = 7;
  event.held.address = held;
  event.wanted = wanted;
  event.guards = std::move(guards);
  return event;
}

TEST(HoldBook, AnOrderHasItsThreadsAndGuardsOnceEach) {
  HoldBook book;
  book.NoteOrder(Order(101, 1, 2), 5, 6);
  book.NoteOrder(Order(101, 1, 2), 5, 6);
  book.NoteOrder(Order(102, 1, 2), {}, {});
  book.NoteOrder(Order(101, 1, 2, {9, 8}), {}, {});
  ASSERT_EQ(book.orders().size(), 1U);
  const auto& order = book.orders().begin()->second;
  ASSERT_EQ(order.sightings.size(), 3U);
  EXPECT_EQ(order.sightings[0].held_at, 5U);
  EXPECT_EQ(order.sightings[2].guards, (std::vector<std::uint64_t>{8, 9}));
  EXPECT_FALSE(order.more);
}

TEST(HoldBook, PastEightAnyThreadMayDoIt) {
  HoldBook book;
  for (pid_t tid = 1; tid <= 20; ++tid) book.NoteOrder(Order(tid, 1, 2), {}, {});
  EXPECT_EQ(book.orders().begin()->second.sightings.size(), 8U);
  EXPECT_TRUE(book.orders().begin()->second.more);
}

TEST(HoldBook, ALockThatEndsTakesItsOrdersWithIt) {
  HoldBook book;
  book.NoteOrder(Order(101, 1, 2), {}, {});
  book.NoteOrder(Order(101, 2, 3), {}, {});
  book.NoteOrder(Order(101, 3, 1), {}, {});
  const HoldKey ended{0, 2, 100, 0};
  book.ForgetLocks({&ended, 1});
  ASSERT_EQ(book.orders().size(), 1U);
  EXPECT_EQ(book.orders().begin()->first.held, 3U);
  const HoldKey elsewhere{0, 3, 999, 0};
  book.ForgetLocks({&elsewhere, 1});
  EXPECT_EQ(book.orders().size(), 1U) << "of another process";
  book.ForgetProcess(100);
  EXPECT_TRUE(book.orders().empty());
}

TEST(HoldBook, OfLongHoldsTheLatestAreKept) {
  HoldBook book;
  for (int i = 0; i < 2000; ++i) {
    HoldEvent event = Order(101, 1, 0);
    event.held.since = i;
    event.at = i + kSecond;
    book.NoteLongHold(event, {}, {});
  }
  EXPECT_EQ(book.long_holds().size(), 1024U);
  EXPECT_EQ(book.long_holds().back().since, 1999);
  EXPECT_EQ(book.lost_long_holds(), 976U);
}

}  // namespace
}  // namespace ct
