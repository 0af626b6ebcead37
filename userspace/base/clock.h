// The one clock of the project: CLOCK_MONOTONIC, in nanoseconds. Every time in the model, the
// wire records and the snapshot is on it; one wall-clock anchor turns it into a date.
#pragma once

#include <cstdint>
#include <string>

namespace ct {

using TimeNs = std::int64_t;      // a point on CLOCK_MONOTONIC
using DurationNs = std::int64_t;  // a difference of two

inline constexpr DurationNs kMicrosecond = 1'000;
inline constexpr DurationNs kMillisecond = 1'000'000;
inline constexpr DurationNs kSecond = 1'000'000'000;

TimeNs MonotonicNow();
// CLOCK_REALTIME minus CLOCK_MONOTONIC now: add it to a TimeNs to get ns since the epoch.
DurationNs RealtimeOffset();
// CPU time used by this process so far.
DurationNs ProcessCpuTime();

// "84 ms", "3.0 s", "11m08s", "2h03m", "4d02h": short, one unit of surprise.
std::string FormatDuration(DurationNs duration);

}  // namespace ct
