#include "model/contention.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace ct {

void WaitHistogram::Add(DurationNs duration) {
  const auto scaled = static_cast<std::uint64_t>(std::max<DurationNs>(duration, 0)) >> kFirstBit;
  const std::size_t bucket = scaled == 0 ? 0 : static_cast<std::size_t>(std::bit_width(scaled)) - 1;
  ++counts[std::min(bucket, kBuckets - 1)];
}

void WaitHistogram::Add(const WaitHistogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) counts[i] += other.counts[i];
}

std::uint64_t WaitHistogram::count() const {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

DurationNs WaitHistogram::Percentile(double fraction, DurationNs max) const {
  const double rank = fraction * static_cast<double>(count());
  double below = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    const auto here = static_cast<double>(counts[i]);
    if (here > 0 && below + here >= rank) {
      const double low = i == 0 ? 0 : std::ldexp(1.0, static_cast<int>(i + kFirstBit));
      const double high = std::ldexp(1.0, static_cast<int>(i + kFirstBit + 1));
      return std::min(max, static_cast<DurationNs>(low + (high - low) * (rank - below) / here));
    }
    below += here;
  }
  return 0;
}

void WaitTotals::Add(DurationNs duration, bool timed_out) {
  ++waits;
  total += duration;
  max = std::max(max, duration);
  timeouts += timed_out ? 1 : 0;
  histogram.Add(duration);
}

void WaitTotals::Add(const WaitTotals& other) {
  waits += other.waits;
  total += other.total;
  max = std::max(max, other.max);
  timeouts += other.timeouts;
  histogram.Add(other.histogram);
}

WaitTotals WaitTotals::Since(const WaitTotals& earlier) const {
  WaitTotals since = *this;
  since.waits -= earlier.waits;
  since.total -= earlier.total;
  since.timeouts -= earlier.timeouts;
  for (std::size_t i = 0; i < WaitHistogram::kBuckets; ++i) {
    since.histogram.counts[i] -= earlier.histogram.counts[i];
  }
  return since;
}

void HoldTotals::Add(const HoldTotals& other) {
  holds += other.holds;
  total += other.total;
  max = std::max(max, other.max);
}

}  // namespace ct
