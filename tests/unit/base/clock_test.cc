#include "base/clock.h"

#include <gtest/gtest.h>

namespace ct {
namespace {

TEST(FormatDuration, PicksTheUnitAPersonWouldUse) {
  EXPECT_EQ(FormatDuration(0), "0 ns");
  EXPECT_EQ(FormatDuration(1'500'000), "1.5 ms");
  EXPECT_EQ(FormatDuration(84 * kMillisecond), "84 ms");
  EXPECT_EQ(FormatDuration(3'040 * kMillisecond), "3.0 s");
  EXPECT_EQ(FormatDuration(668 * kSecond), "11m08s");
  EXPECT_EQ(FormatDuration(2 * 3600 * kSecond + 180 * kSecond), "2h03m");
  EXPECT_EQ(FormatDuration(98 * 3600 * kSecond), "4d02h");
  EXPECT_EQ(FormatDuration(-84 * kMillisecond), "-84 ms");
}

TEST(Clock, IsMonotonicAndAnchored) {
  const TimeNs first = MonotonicNow();
  EXPECT_LE(first, MonotonicNow());
  EXPECT_GT(RealtimeOffset() + first, 1'600'000'000LL * kSecond);
}

}  // namespace
}  // namespace ct
