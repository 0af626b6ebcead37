#include "model/contention.h"

#include <algorithm>
#include <limits>
#include <map>
#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ct {
namespace {

constexpr DurationNs kForever = std::numeric_limits<DurationNs>::max();

// The buckets that are not empty, and what is in them.
std::map<std::size_t, std::uint64_t> Buckets(const WaitHistogram& histogram) {
  std::map<std::size_t, std::uint64_t> buckets;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    if (histogram.counts[i] != 0) buckets[i] = histogram.counts[i];
  }
  return buckets;
}

WaitHistogram HistogramOf(const std::vector<DurationNs>& durations) {
  WaitHistogram histogram;
  for (const DurationNs duration : durations) histogram.Add(duration);
  return histogram;
}

using BucketMap = std::map<std::size_t, std::uint64_t>;

TEST(WaitHistogram, PutsADurationIntoItsPowerOfTwo) {
  EXPECT_EQ(Buckets(HistogramOf({256, 511})), (BucketMap{{0, 2}}));
  EXPECT_EQ(Buckets(HistogramOf({512, 1023})), (BucketMap{{1, 2}}));
  for (std::size_t bucket = 1; bucket < WaitHistogram::kBuckets; ++bucket) {
    const DurationNs low = DurationNs{1} << (bucket + WaitHistogram::kFirstBit);
    EXPECT_EQ(Buckets(HistogramOf({low - 1, low, 2 * low - 1})),
              (BucketMap{{bucket - 1, 1}, {bucket, 2}}));
  }
}

TEST(WaitHistogram, PutsWhatIsShorterIntoTheFirst) {
  EXPECT_EQ(Buckets(HistogramOf({0, 1, 255})), (BucketMap{{0, 3}}));
}

TEST(WaitHistogram, TakesANegativeDurationForNone) {
  EXPECT_EQ(Buckets(HistogramOf({-1, std::numeric_limits<DurationNs>::min()})),
            (BucketMap{{0, 2}}));
}

TEST(WaitHistogram, PutsWhatIsLongerIntoTheLast) {
  EXPECT_EQ(Buckets(HistogramOf({(DurationNs{1} << 40) - 1, DurationNs{1} << 40, kForever})),
            (BucketMap{{31, 3}}));
}

TEST(WaitHistogram, AddsUpAnother) {
  WaitHistogram histogram = HistogramOf({300, 600});
  histogram.Add(HistogramOf({600, 1200}));
  EXPECT_EQ(Buckets(histogram), (BucketMap{{0, 1}, {1, 2}, {2, 1}}));
  EXPECT_EQ(histogram.count(), 4U);
}

TEST(Percentile, OfNothingIsNone) {
  EXPECT_EQ(WaitHistogram{}.Percentile(0.5, kForever), 0);
  EXPECT_EQ(WaitHistogram{}.count(), 0U);
}

TEST(Percentile, OfOneIsInItsBucket) {
  const WaitHistogram histogram = HistogramOf({5'000});  // of 4096 to 8192
  EXPECT_EQ(histogram.Percentile(0, kForever), 4'096);
  EXPECT_EQ(histogram.Percentile(0.5, kForever), 6'144);
  EXPECT_EQ(histogram.Percentile(1, kForever), 8'192);
}

TEST(Percentile, OfTheShortestBeginsAtZero) {
  const WaitHistogram histogram = HistogramOf({100, 400});
  EXPECT_EQ(histogram.Percentile(0, kForever), 0);
  EXPECT_EQ(histogram.Percentile(0.5, kForever), 256);
}

TEST(Percentile, IsNeverAboveTheLongest) {
  const WaitHistogram histogram = HistogramOf({5'000});
  EXPECT_EQ(histogram.Percentile(0.99, 5'000), 5'000);
  EXPECT_EQ(histogram.Percentile(0.1, 5'000), 4'505);
}

TEST(Percentile, CountsThroughTheBuckets) {
  // 90 short ones, 9 of 1 to 2 us, one of 2^20 to 2^21 ns.
  std::vector<DurationNs> durations(90, 300);
  durations.insert(durations.end(), 9, 1'500);
  durations.push_back(1'500'000);
  const WaitHistogram histogram = HistogramOf(durations);
  EXPECT_EQ(histogram.Percentile(0.5, kForever), 284);     // 512 * 50 / 90
  EXPECT_EQ(histogram.Percentile(0.9, kForever), 512);     // the end of the first
  EXPECT_EQ(histogram.Percentile(0.95, kForever), 1'592);  // 1024 + 1024 * 5 / 9
  EXPECT_EQ(histogram.Percentile(0.99, kForever), 2'048);
  EXPECT_EQ(histogram.Percentile(1, 1'500'000), 1'500'000);
}

TEST(Percentile, IsWrongByLessThanAFactorOfTwo) {
  std::mt19937_64 random(20261122);
  for (int round = 0; round < 200; ++round) {
    // Of what the histogram tells apart: 2^9 ns to 2^40 ns.
    std::vector<DurationNs> durations(1 + random() % 500);
    for (DurationNs& duration : durations) {
      const DurationNs low = DurationNs{1} << (9 + random() % 31);
      duration = low + static_cast<DurationNs>(random() % static_cast<std::uint64_t>(low));
    }
    const WaitHistogram histogram = HistogramOf(durations);
    std::sort(durations.begin(), durations.end());
    for (const std::size_t percent : {1U, 10U, 25U, 50U, 75U, 90U, 99U, 100U}) {
      // The first that has so many at or below it.
      const std::size_t rank = (percent * durations.size() + 99) / 100;
      const DurationNs exact = durations[rank - 1];
      const DurationNs told =
          histogram.Percentile(static_cast<double>(percent) / 100, durations.back());
      EXPECT_LE(told, 2 * exact) << percent << " % of " << durations.size();
      EXPECT_LE(exact, 2 * told) << percent << " % of " << durations.size();
      EXPECT_LE(told, durations.back());
    }
  }
}

TEST(WaitTotals, AddUpWaits) {
  WaitTotals totals;
  totals.Add(700, false);
  totals.Add(1'300, true);
  totals.Add(400, false);
  WaitTotals expected;
  expected.waits = 3;
  expected.total = 2'400;
  expected.max = 1'300;
  expected.timeouts = 1;
  expected.histogram = HistogramOf({400, 700, 1'300});
  EXPECT_EQ(totals, expected);
  EXPECT_EQ(totals.average(), 800);
}

TEST(WaitTotals, OfNoWaitHaveNoAverage) { EXPECT_EQ(WaitTotals{}.average(), 0); }

TEST(WaitTotals, AddUpOthers) {
  WaitTotals some;
  some.Add(700, true);
  some.Add(900, false);
  WaitTotals others;
  others.Add(2'000, true);
  WaitTotals all;
  for (const DurationNs duration : {700, 2'000}) all.Add(duration, true);
  all.Add(900, false);
  some.Add(others);
  EXPECT_EQ(some, all);
  some.Add(WaitTotals{});
  EXPECT_EQ(some, all);
}

TEST(WaitTotals, SinceAnEarlierMomentKeepTheLongestOfAllTime) {
  WaitTotals now;
  now.Add(5'000, true);
  const WaitTotals earlier = now;
  now.Add(600, false);
  now.Add(800, true);
  WaitTotals expected;
  expected.Add(600, false);
  expected.Add(800, true);
  expected.max = 5'000;
  EXPECT_EQ(now.Since(earlier), expected);
  EXPECT_EQ(now.Since(WaitTotals{}), now);
  EXPECT_EQ(earlier.Since(earlier).waits, 0U);
}

TEST(HoldTotals, AddUp) {
  HoldTotals totals{2, 300, 200};
  totals.Add({4, 700, 150});
  EXPECT_EQ(totals, (HoldTotals{6, 1'000, 200}));
  EXPECT_EQ(totals.average(), 166);
  totals.Add({1, 500, 500});
  EXPECT_EQ(totals, (HoldTotals{7, 1'500, 500}));
  EXPECT_EQ(HoldTotals{}.average(), 0);
}

}  // namespace
}  // namespace ct
