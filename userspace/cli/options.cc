#include "cli/options.h"

#include <array>
#include <charconv>
#include <string_view>

#include <fmt/format.h>

namespace ct {

Result<DurationNs> ParseDuration(const std::string& text) {
  struct Unit {
    std::string_view name;
    double nanoseconds;
  };
  constexpr std::array<Unit, 8> kUnits = {{{"ns", 1},
                                           {"us", 1e3},
                                           {"ms", 1e6},
                                           {"s", 1e9},
                                           {"m", 60e9},
                                           {"min", 60e9},
                                           {"h", 3600e9},
                                           {"", 1e9}}};
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  for (const Unit& known : kUnits) {
    if (error != std::errc() || unit != known.name) continue;
    const double duration = number * known.nanoseconds;
    constexpr double kTenYears = 10 * 365.25 * 86400e9;
    if (duration >= 0 && duration <= kTenYears) return static_cast<DurationNs>(duration);
  }
  return Fail(ErrorCode::kUsage,
              fmt::format("'{}' is not a duration: write 250ms, 1s, 2m or 1h", text));
}

CLI::Option* AddDuration(CLI::App& command, const std::string& names, DurationNs& value,
                         const std::string& help) {
  return command
      .add_option_function<std::string>(
          names,
          [&value](const std::string& text) {
            const Result<DurationNs> parsed = ParseDuration(text);
            if (!parsed) throw CLI::ValidationError(parsed.error().message);
            value = *parsed;
          },
          help)
      ->type_name("DURATION");
}

void AddExclusiveClasses(CLI::App& command, std::vector<std::string>& classes) {
  command
      .add_option(
          "--exclusive-class", classes,
          "A Python class, 'module.Class', whose objects only one thread or task may use at\n"
          "a time, besides those of SQLAlchemy, asyncpg and sqlite3; may be repeated")
      ->type_name("CLASS");
}

void AddStuckTask(CLI::App& command, DurationNs& value) {
  AddDuration(command, "--stuck-task", value,
              "From which age on a request's task that does not go on is told (default 10s)");
}

void AddTargetOptions(CLI::App& command, TargetOptions& options) {
  command
      .add_option_function<std::vector<std::string>>(
          "-p,--pid",
          [&options](const std::vector<std::string>& pids) {
            for (const std::string& text : pids) {
              int pid = 0;
              const auto [rest, error] =
                  std::from_chars(text.data(), text.data() + text.size(), pid);
              if (error != std::errc() || rest != text.data() + text.size() || pid <= 0) {
                throw CLI::ValidationError(fmt::format("-p: '{}' is not a process id", text));
              }
              options.filter.pids.push_back(pid);
            }
          },
          "Processes to start from: 1,2 (their lock holders are followed wherever they are)")
      ->delimiter(',')
      ->type_name("PID[,PID...]");
  command
      .add_option("--comm", options.filter.comm, "Processes of this name (as in /proc/PID/comm)")
      ->type_name("NAME");
  command.add_option("--cgroup", options.filter.cgroup, "Processes in this cgroup and below it")
      ->type_name("PATH");
  command.add_option("--unit", options.filter.unit, "Processes of this systemd unit")
      ->type_name("NAME");
  AddDuration(command, "--long-wait", options.long_wait,
              "From which age on a wait for a lock is told (default 1s)");
  AddStuckTask(command, options.stuck_task);
  AddExclusiveClasses(command, options.exclusive_classes);
  // For tests: every fallback for an older kernel can be had on a newer one.
  command.add_option("--without-kernel-feature", options.without)->group("");
}

void AddLoopOption(CLI::App& command, DurationNs& loop_block) {
  constexpr DurationNs kMin = 5 * kMillisecond;
  command
      .add_option_function<std::string>(
          "--loop-block",
          [&loop_block](const std::string& text) {
            if (text == "off") {
              loop_block = 0;
              return;
            }
            const Result<DurationNs> parsed = ParseDuration(text);
            if (!parsed) throw CLI::ValidationError(parsed.error().message);
            if (*parsed < kMin) throw CLI::ValidationError("--loop-block: 5ms or longer, or off");
            loop_block = *parsed;
          },
          "From which length on an iteration of an event loop is told (default 100ms); off:\n"
          "none is. Of the processes that -p and its kin name")
      ->type_name("DURATION|off");
}

CLI::Option* AddTaskOrigin(CLI::App& command, bool& task_origin) {
  return command.add_flag(
      "--task-origin", task_origin,
      "Where asyncio's tasks are made, from now on: by a probe in Python's own code, a few\n"
      "microseconds a task (needs BPF)");
}

void RefuseTaskOrigin(CLI::App& command) {
  command
      .add_flag_callback("--task-origin",
                         [] {
                           throw CLI::ValidationError(
                               "--task-origin: one look sees no task being made; trace the process "
                               "(concurrency-tracer -p PID --task-origin), or tasks --every");
                         })
      ->group("");
}

void AddWaitOptions(CLI::App& command, WaitOptions& options) {
  AddDuration(command, "--min-wait", options.min_wait,
              "From which length on who waited, and where, is kept (default 1ms)");
  command
      .add_option(
          "--stack-size", options.stack_kilobytes,
          "KiB of a waiter's stack that are kept: 8, 16 (default) or 32; 0: none, so that nobody\n"
          "knows where, nor what lock it is")
      ->check(CLI::IsMember({0U, 8U, 16U, 32U}));
  command.add_option("--ring-size", options.ring_megabytes,
                     "MiB for long waits on their way to us (a power of two, default 16)");
  command
      .add_option("--max-locks", options.max_locks,
                  "How many locks can be counted at once (default 131072)")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--max-overhead", options.max_overhead,
                  "Percent of the host's CPU time that counting may cost (default 1): past it\n"
                  "less is kept, then host-wide counting ends")
      ->check(CLI::Range(0.001, 100.0));
}

void AddHoldOptions(CLI::App& command, HoldTraceOptions& options) {
  AddDuration(command, "--long-hold", options.long_hold,
              "With --holds: from which length on a hold is told (default 1s)");
  command
      .add_option(
          "--pool", options.pools,
          "With --holds: a pool of the program's own, 'FILE:ACQUIRE,RELEASE' with C++ names\n"
          "as people write them: 'app:ConnectionPool::acquire,ConnectionPool::release';\n"
          "then, after ';', capacity=N, key=N or unit=N (which argument is the pool, the unit)")
      ->type_name("FILE:FUNCTIONS")
      ->take_all();
}

void AddFormatOptions(CLI::App& command, OutputOptions& options) {
  command.add_option("--format", options.format, "text or json (protobuf's JSON of the snapshot)")
      ->check(CLI::IsMember({"text", "json"}));
  command.add_flag_callback(
      "--json", [&options] { options.format = "json"; }, "The same as --format json");
}

}  // namespace ct
