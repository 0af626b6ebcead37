// Options that several commands share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/clock.h"
#include "base/result.h"
#include "observe/filter.h"

namespace ct {

struct OutputOptions {
  std::string format = "text";
  bool full = false;
};

struct TargetOptions {
  Filter filter;
  DurationNs long_wait = kSecond;
  DurationNs stuck_task = 10 * kSecond;
  std::vector<std::string> exclusive_classes;
  std::vector<std::string> without;  // kernel features to pretend absent
};

// As asyncio's debug mode has it (loop.slow_callback_duration).
inline constexpr DurationNs kDefaultLoopBlock = 100 * kMillisecond;

// How waits are followed as they happen.
struct WaitOptions {
  DurationNs min_wait = kMillisecond;
  std::uint32_t stack_kilobytes = 16;
  std::uint32_t ring_megabytes = 16;
  std::uint32_t max_locks = 131'072;
  double max_overhead = 1;  // percent
};

// How acquires and releases are followed.
struct HoldTraceOptions {
  DurationNs long_hold = kSecond;
  std::vector<std::string> pools;  // see ParsePool in probes/catalog.h
  double max_overhead = 2;         // percent of each process's CPU time
};

// "250ms", "1.5s", "2m", "1h", "100us"; a bare number is seconds. kUsage otherwise, and for a
// negative or absurd (over 10 years) duration.
Result<DurationNs> ParseDuration(const std::string& text);

// Adds --stuck-task.
void AddStuckTask(CLI::App& command, DurationNs& value);
// Adds --exclusive-class.
void AddExclusiveClasses(CLI::App& command, std::vector<std::string>& classes);
// Adds -p/--pid, --comm, --cgroup, --unit, --long-wait, --stuck-task, --exclusive-class.
void AddTargetOptions(CLI::App& command, TargetOptions& options);
// Adds --min-wait, --stack-size, --ring-size, --max-locks and --max-overhead.
void AddWaitOptions(CLI::App& command, WaitOptions& options);
// Adds --long-hold and --pool.
void AddHoldOptions(CLI::App& command, HoldTraceOptions& options);
// Adds --loop-block; 0 is "off".
void AddLoopOption(CLI::App& command, DurationNs& loop_block);
// Adds --task-origin.
CLI::Option* AddTaskOrigin(CLI::App& command, bool& task_origin);
// The same where it can only be refused: by who looks once.
void RefuseTaskOrigin(CLI::App& command);
// Adds --format text|json and its short form --json.
void AddFormatOptions(CLI::App& command, OutputOptions& options);
// Adds an option that takes a duration.
CLI::Option* AddDuration(CLI::App& command, const std::string& names, DurationNs& value,
                         const std::string& help);

}  // namespace ct
