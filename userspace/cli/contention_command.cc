#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/interrupts.h"
#include "cli/print.h"
#include "cli/session.h"
#include "kernel/waits.h"
#include "observe/contention_observer.h"
#include "render/contention_text.h"
#include "render/gil_text.h"
#include "snapshot/file.h"
#include "snapshot/snapshot.h"

namespace ct {
namespace {

struct ContentionCommandOptions {
  TargetOptions target;
  OutputOptions output;
  WaitOptions waits;
  DurationNs duration = 10 * kSecond;  // 0: until interrupted
  ContentionView view;
  std::string file;
};

constexpr DurationNs kStep = 100 * kMillisecond;
constexpr DurationNs kRefresh = kSecond;
constexpr DurationNs kProgressAfter = 3 * kSecond;  // shorter runs need no line

class ContentionRun {
 public:
  explicit ContentionRun(const ContentionCommandOptions& options)
      : options_(options),
        live_(options.output.format == "text" && isatty(STDOUT_FILENO) == 1),
        progress_(!live_ && isatty(STDERR_FILENO) == 1) {}

  int Run() {
    const Interrupts interrupts;
    Result<std::unique_ptr<Session>> session =
        Session::Start({.target = options_.target, .waits = options_.waits});
    if (!session) return PrintError(session.error());
    session_ = std::move(*session);
    if (Status status = observer().Begin(); !status) return PrintError(status.error());
    begin_ = MonotonicNow();
    if (!live_) {
      fmt::print(stderr, "{}{}\n", session_->WaitsBanner(),
                 options_.duration == 0 ? "; Ctrl-C ends it" : "");
    }
    next_refresh_ = begin_ + (live_ ? kRefresh : kProgressAfter);
    while (!interrupts.Wait(0) && Left() > 0) {
      if (Status status = observer().Step(std::min(kStep, Left())); !status) {
        // Its processes have ended: what was counted is the answer.
        if (status.error().code != ErrorCode::kNotFound) return PrintError(status.error());
        PrintError(status.error());
        break;
      }
      for (const std::string& line : observer().TakeNews()) {
        if (!live_) fmt::print(stderr, "concurrency-tracer: {}\n", line);
      }
      if (observer().budget().detail() == WaitDetail::kNothing) break;
      if (Status status = Refresh(); !status) return PrintError(status.error());
    }
    return Finish();
  }

 private:
  [[nodiscard]] DurationNs Left() const {
    if (options_.duration == 0) return kStep;
    return std::max<DurationNs>(0, begin_ + options_.duration - MonotonicNow());
  }

  ContentionObserver& observer() { return session_->contention(); }

  Status Refresh() {
    if (MonotonicNow() < next_refresh_) return {};
    next_refresh_ += kRefresh;
    if (live_) {
      const Result<Answer> answer = session_->Contention();
      if (!answer) return Fail(answer.error());
      // Home, the table, and nothing of the last one below it.
      return PrintText("\x1b[H" + TextOf(*answer) + "\x1b[J");
    }
    if (progress_) {
      const Result<WaitCounters> counters = session_->waits().Counters();
      if (!counters) return Fail(counters.error());
      const DurationNs done = MonotonicNow() - begin_;
      fmt::print(stderr, "\r{} of {}: {} waits, {} long ones \x1b[K", FormatDuration(done),
                 options_.duration == 0 ? "as long as you like" : FormatDuration(options_.duration),
                 counters->waits, counters->received);
      fflush(stderr);
    }
    return {};
  }

  std::string TextOf(const Answer& answer) const {
    const Observation& observation = answer.observation;
    RenderOptions render;
    render.color = WantsColor();
    render.full = options_.output.full;
    std::string text = RenderContention(observation, options_.view, render) +
                       RenderGils(observation, answer.findings, render);
    for (const Loss& loss : observation.losses) {
      text += fmt::format("NOT SEEN  {} x {}{}\n", loss.count, loss.reason,
                          loss.detail.empty() ? "" : " (" + loss.detail + ")");
    }
    for (const std::string& line : observation.degradations) {
      text += fmt::format("DEGRADED  {}\n", line);
    }
    return text;
  }

  int Finish() {
    const Result<Answer> answer = session_->Contention();
    if (progress_) fputs("\r\x1b[K", stderr);
    if (!answer) return PrintError(answer.error());
    const Observation& observation = answer->observation;
    session_->waits().Pause();
    if (!options_.file.empty()) {
      if (Status status = WriteFile(options_.file, Encode(observation, answer->findings));
          !status) {
        return PrintError(status.error());
      }
    }
    const Status printed = Print(*answer);
    if (!printed) return PrintError(printed.error());
    return ExitStatusOf(answer->observation, answer->findings);
  }

  Status Print(const Answer& answer) const {
    if (options_.output.format != "text") {
      return PrintAnswer(answer, options_.output, false);
    }
    std::string text = (live_ ? "\x1b[H" : "") + TextOf(answer);
    if (!options_.file.empty()) text += fmt::format("snapshot  {}\n", options_.file);
    return PrintText(text + (live_ ? "\x1b[J" : ""));
  }

  ContentionCommandOptions options_;
  bool live_;
  bool progress_;
  TimeNs begin_ = 0;
  TimeNs next_refresh_ = 0;
  std::unique_ptr<Session> session_;
};

}  // namespace

Command AddContentionCommand(CLI::App& app) {
  auto options = std::make_shared<ContentionCommandOptions>();
  CLI::App* command = app.add_subcommand(
      "contention", "Which locks are waited for, by whom, where, and who lets them go");
  AddTargetOptions(*command, options->target);
  AddFormatOptions(*command, options->output);
  AddDuration(*command, "-d,--duration", options->duration,
              "How long to count (default 10s; 0: until Ctrl-C)");
  AddWaitOptions(*command, options->waits);
  command
      ->add_option_function<std::string>(
          "--group",
          [options](const std::string& name) {
            options->view.group = ParseContentionGroup(name).value_or(ContentionGroup::kLock);
          },
          "One row for each lock (default), stack, thread, process or cgroup")
      ->check(CLI::IsMember({"lock", "stack", "thread", "process", "cgroup"}));
  command
      ->add_option_function<std::string>(
          "--sort",
          [options](const std::string& name) {
            options->view.sort = ParseContentionSort(name).value_or(ContentionSort::kTotal);
          },
          "By total (default), waits, avg, p99 or max")
      ->check(CLI::IsMember({"total", "waits", "avg", "p99", "max"}));
  AddDuration(*command, "--min", options->view.min_total,
              "Leave out rows with less waiting than this");
  command->add_option("-n,--rows", options->view.rows, "At most so many rows (default 20)")
      ->check(CLI::PositiveNumber);
  command->add_flag("--idle", options->view.idle,
                    "Conditions, parked threads, joins and unknown futexes, too");
  command->add_flag("--full", options->output.full, "Complete stacks of all waits that have one");
  command->add_option("-o,--output", options->file, "A snapshot file of the table")
      ->type_name("FILE");
  command->footer(
      "Counts waits that the kernel sees: a lock that is free costs nothing and is not counted.\n"
      "Exit status: 0, 1 error, 2 usage, 3 something could not be counted or read, 11 threads "
      "fight "
      "for a GIL.");
  return [options] { return ContentionRun(*options).Run(); };
}

}  // namespace ct
