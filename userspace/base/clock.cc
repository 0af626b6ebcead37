#include "base/clock.h"

#include <time.h>

#include <fmt/format.h>

namespace ct {
namespace {

TimeNs Read(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<TimeNs>(now.tv_sec) * kSecond + now.tv_nsec;
}

}  // namespace

TimeNs MonotonicNow() { return Read(CLOCK_MONOTONIC); }
DurationNs RealtimeOffset() { return Read(CLOCK_REALTIME) - Read(CLOCK_MONOTONIC); }
DurationNs ProcessCpuTime() { return Read(CLOCK_PROCESS_CPUTIME_ID); }

std::string FormatDuration(DurationNs duration) {
  if (duration < 0) return "-" + FormatDuration(-duration);
  if (duration < kMicrosecond) return fmt::format("{} ns", duration);
  if (duration < 10 * kMicrosecond) {
    return fmt::format("{:.1f} us", static_cast<double>(duration) / kMicrosecond);
  }
  if (duration < 100 * kMicrosecond) return fmt::format("{} us", duration / kMicrosecond);
  if (duration < 10 * kMillisecond) {
    return fmt::format("{:.1f} ms", static_cast<double>(duration) / kMillisecond);
  }
  if (duration < kSecond) return fmt::format("{} ms", duration / kMillisecond);
  if (duration < 60 * kSecond) {
    return fmt::format("{:.1f} s", static_cast<double>(duration) / kSecond);
  }
  const std::int64_t seconds = duration / kSecond;
  const std::int64_t minutes = seconds / 60;
  const std::int64_t hours = minutes / 60;
  if (minutes < 60) return fmt::format("{}m{:02}s", minutes, seconds % 60);
  if (hours < 48) return fmt::format("{}h{:02}m", hours, minutes % 60);
  return fmt::format("{}d{:02}h", hours / 24, hours % 24);
}

}  // namespace ct
