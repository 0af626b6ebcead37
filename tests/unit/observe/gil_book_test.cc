#include "observe/gil_book.h"

#include <gtest/gtest.h>

namespace ct {
namespace {

constexpr TimeNs kBegin = 1000 * kSecond;
const ThreadId kCrunch{11, 1};
const ThreadId kFetch{12, 2};

TimeNs At(DurationNs milliseconds) { return kBegin + milliseconds * kMillisecond; }

GilThread Thread(const ThreadId& id, const std::string& name, const std::string& function,
                 std::uint32_t line) {
  Frame frame;
  frame.origin = FrameOrigin::kPython;
  frame.function = function;
  frame.file = "/srv/shop/images.py";
  frame.line = line;
  return {id, name, {{frame}, StackEnd::kComplete}};
}

GilLook Look(TimeNs at, std::optional<GilThread> holder, std::vector<GilThread> waiters) {
  return {at, std::move(holder), false, std::move(waiters)};
}

struct Reported {
  std::vector<Stack> stacks;
  GilContention gil;
  explicit Reported(GilBook& book, TimeNs end) { gil = book.Report(end, stacks); }
  [[nodiscard]] const Frame& FrameOf(StackIndex stack) const {
    return stacks.at(static_cast<std::size_t>(stack)).frames.front();
  }
};

// take_gil() gives up every 5 ms, asks the holder to let go, and waits on.
TEST(GilBook, TriesThatTimeOutAreOneWait) {
  GilBook book(kBegin);
  book.NoteWait(kFetch, "python3", At(0), At(5), true);
  book.NoteWait(kFetch, "python3", At(5), At(10), true);
  book.NoteWait(kFetch, "python3", At(10), At(13), false);
  book.NoteWait(kFetch, "python3", At(14), At(16), false);  // it had it in between
  book.NoteWait(kFetch, "python3", At(30), At(35), true);
  book.NoteWait(kFetch, "python3", At(40), At(41), true);  // and did something else here
  const Reported report(book, At(1000));
  ASSERT_EQ(report.gil.waiters.size(), 1U);
  const GilWaiter& waiter = report.gil.waiters[0];
  EXPECT_EQ(waiter.id, kFetch);
  EXPECT_EQ(waiter.waits, 4U);
  EXPECT_EQ(waiter.max, 13 * kMillisecond);
  EXPECT_EQ(waiter.total, (13 + 2 + 5 + 1) * kMillisecond);
}

TEST(GilBook, WhatWasBeforeTheBeginIsLeftOut) {
  GilBook book(kBegin);
  book.NoteWait(kFetch, "python3", At(-10), At(5), false);
  book.NoteWait(kCrunch, "python3", At(-10), At(-5), false);
  const Reported report(book, At(250));
  ASSERT_EQ(report.gil.waiters.size(), 1U);
  EXPECT_EQ(report.gil.waiters[0].total, 5 * kMillisecond);
}

TEST(GilBook, EverySliceHasItsShareOfAWait) {
  GilBook book(kBegin);
  book.NoteWait(kFetch, "python3", At(200), At(600), false);
  const Reported report(book, At(1000));
  ASSERT_EQ(report.gil.slices.size(), 4U);
  const std::vector<DurationNs> expected = {50, 250, 100, 0};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(report.gil.slices[i].begin, At(static_cast<DurationNs>(i) * 250));
    EXPECT_EQ(report.gil.slices[i].length, 250 * kMillisecond);
    EXPECT_EQ(report.gil.slices[i].waited, expected[i] * kMillisecond) << i;
  }
}

// However long it goes on, a person can read it, and nothing of it is missing.
TEST(GilBook, ALongIntervalHasFewSlices) {
  GilBook book(kBegin);
  for (int second = 0; second < 3600; ++second) {
    const TimeNs begin = At(second * 1000);
    book.NoteWait(kFetch, "python3", begin, begin + 100 * kMillisecond, false);
    book.NoteLook(
        Look(begin, Thread(kCrunch, "crunch", "resize", 88), {Thread(kFetch, "fetch", "get", 31)}));
  }
  const Reported report(book, At(3'600'000));
  ASSERT_FALSE(report.gil.slices.empty());
  EXPECT_LE(report.gil.slices.size(), 16U);
  DurationNs waited = 0;
  std::uint32_t looks = 0;
  TimeNs at = kBegin;
  for (const GilSlice& slice : report.gil.slices) {
    EXPECT_EQ(slice.begin, at) << "no gaps";
    at += slice.length;
    waited += slice.waited;
    looks += slice.looks;
    EXPECT_EQ(slice.contended, slice.looks);
    EXPECT_EQ(slice.holder, 0);
    EXPECT_EQ(slice.holder_looks, slice.looks);
  }
  EXPECT_EQ(at, At(3'600'000));
  EXPECT_EQ(waited, 360 * kSecond);
  EXPECT_EQ(looks, 3600U);
}

TEST(GilBook, HoldersAreTheFunctionsWithTheirMostFrequentLine) {
  GilBook book(kBegin);
  const std::vector<GilThread> waiters = {Thread(kFetch, "fetch", "get", 31)};
  for (const std::uint32_t line : {88, 89, 89, 90}) {
    book.NoteLook(Look(At(line), Thread(kCrunch, "crunch", "resize", line), waiters));
  }
  book.NoteLook(Look(At(100), Thread(kCrunch, "crunch", "crop", 12), waiters));
  book.NoteLook(Look(At(101), std::nullopt, waiters));  // it changed hands just now
  book.NoteWait(kFetch, "python3", At(80), At(101), false);
  const Reported report(book, At(250));
  ASSERT_EQ(report.gil.holders.size(), 2U);
  EXPECT_EQ(report.gil.holders[0].looks, 4U);
  EXPECT_EQ(report.gil.holders[0].name, "crunch");
  EXPECT_EQ(report.FrameOf(report.gil.holders[0].stack).line, 89U);
  EXPECT_EQ(report.FrameOf(report.gil.holders[1].stack).function, "crop");
  ASSERT_EQ(report.gil.slices.size(), 1U);
  EXPECT_EQ(report.gil.slices[0].looks, 6U);
  EXPECT_EQ(report.gil.slices[0].contended, 6U);
  EXPECT_EQ(report.gil.slices[0].holder, 0);
  EXPECT_EQ(report.gil.slices[0].holder_looks, 4U);
  ASSERT_EQ(report.gil.waiters.size(), 1U);
  EXPECT_EQ(report.gil.waiters[0].name, "fetch") << "Python's name, not the kernel's";
  EXPECT_EQ(report.FrameOf(report.gil.waiters[0].stack).line, 31U);
}

TEST(GilBook, CollectingGarbageIsAPlaceOfItsOwn) {
  GilBook book(kBegin);
  GilLook look =
      Look(At(1), Thread(kCrunch, "crunch", "resize", 88), {Thread(kFetch, "fetch", "get", 31)});
  book.NoteLook(look);
  look.collecting = true;
  book.NoteLook(look);
  book.NoteLook(look);
  const Reported report(book, At(250));
  ASSERT_EQ(report.gil.holders.size(), 2U);
  EXPECT_TRUE(report.gil.holders[0].collecting);
  EXPECT_FALSE(report.gil.holders[1].collecting);
}

TEST(GilBook, WhoHasItWhileNobodyWaitsIsInNobodysWay) {
  GilBook book(kBegin);
  book.NoteLook(Look(At(1), Thread(kCrunch, "crunch", "resize", 88), {}));
  const Reported report(book, At(250));
  EXPECT_TRUE(report.gil.holders.empty());
  EXPECT_EQ(report.gil.slices[0].looks, 1U);
  EXPECT_EQ(report.gil.slices[0].contended, 0U);
}

TEST(GilBook, AnIntervalWithoutLengthHasNothing) {
  GilBook book(kBegin);
  EXPECT_EQ(Reported(book, kBegin).gil, GilContention{});
}

}  // namespace
}  // namespace ct
