#include <regex.h>
#include <time.h>

#include <algorithm>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/interrupts.h"
#include "cli/options.h"
#include "cli/print.h"
#include "cli/python_answer.h"
#include "cli/session.h"
#include "model/names.h"
#include "observe/filter.h"
#include "observe/task_origins.h"
#include "render/finding_text.h"
#include "render/json.h"
#include "render/tasks_text.h"
#include "track/finding_tracker.h"
#include "track/task_tracker.h"

namespace ct {
namespace {

constexpr DurationNs kMinEvery = 100 * kMillisecond;

struct CommandOptions {
  pid_t pid = 0;
  bool tree = false;
  std::string match;
  DurationNs every = 0;  // 0: once
  std::vector<std::string> exclusive_classes;
  bool may_stop = false;
  bool task_origin = false;
  DurationNs stuck_task = DetectOptions().stuck_task;
  OutputOptions output;
};

// POSIX's: it neither throws nor recurses on what a target is called.
struct FreeRegex {
  void operator()(regex_t* regex) const {
    regfree(regex);
    delete regex;
  }
};
using Regex = std::shared_ptr<regex_t>;

Result<Regex> Compile(const std::string& text) {
  auto compiled = std::make_unique<regex_t>();
  const int error = regcomp(compiled.get(), text.c_str(), REG_EXTENDED | REG_NOSUB);
  if (error != 0) {
    char why[256];
    regerror(error, compiled.get(), why, sizeof(why));
    return Fail(ErrorCode::kUsage, "--match '" + text + "': " + why);
  }
  return Regex(compiled.release(), FreeRegex());
}

Result<Answer> Look(const CommandOptions& options, Reader& reader, TaskOrigins* origins,
                    PythonMemory& memory, bool search) {
  PythonLookOptions look;
  look.exclusive_classes = options.exclusive_classes;
  look.search = search;
  look.may_stop = options.may_stop;
  look.task_origins = origins;
  DetectOptions detect;
  detect.stuck_task = options.stuck_task;
  return LookByReading(reader, options.pid, look, detect, memory);
}

Result<std::string> Render(const CommandOptions& options, const Answer& answer,
                           const TasksOptions& tasks) {
  RenderOptions render;
  render.full = options.output.full;
  render.color = WantsColor();
  if (options.output.format == "json") {
    return RenderJson(answer.observation, answer.findings, render);
  }
  return RenderTasks(answer.observation, answer.findings, tasks, render);
}

// Looks again and again, and prints what has changed, until the process ends or somebody has seen
// enough.
class Watch {
 public:
  Watch(const CommandOptions& options, TasksOptions tasks, Reader& reader)
      : options_(options), tasks_(std::move(tasks)), reader_(reader) {
    if (!options.task_origin) return;
    // After the reader process, which inherits nothing of BPF.
    Result<std::unique_ptr<TaskOriginTracer>> tracer = TaskOriginTracer::Load();
    if (!tracer) {
      no_origins_ = "where tasks are made is not known: " + tracer.error().message;
      return;
    }
    origin_tracer_ = std::move(*tracer);
    origins_ = std::make_unique<TaskOrigins>(*origin_tracer_, reader_);
  }

  int Run() {
    const Interrupts interrupts;
    DurationNs wait = 0;
    do {
      const TimeNs now = MonotonicNow();
      const bool search = looks_ == 0 || now - searched_ >= kSearchInterval;
      if (search) searched_ = now;
      Result<Answer> answer = Look(options_, reader_, origins_.get(), memory_, search);
      if (!answer && looks_ > 0 && answer.error().code == ErrorCode::kNotFound) return End();
      if (!answer) return PrintError(answer.error());
      if (!no_origins_.empty()) answer->observation.degradations.push_back(no_origins_);
      if (Status status = Print(*answer); !status) return PrintError(status.error());
      ++looks_;
      // From look to look, unless that leaves less than half of the time to others.
      const DurationNs took = MonotonicNow() - now;
      wait = std::max(options_.every - took, took);
    } while (!interrupts.Wait(wait));
    return worst_;
  }

 private:
  Status Print(Answer& answer) {
    Observation& observation = answer.observation;
    const FindingChanges findings = findings_.Update(answer.findings, observation);
    const TaskChanges tasks = history_.Update(observation);
    const ExitStatus status = ExitStatusOf(observation, answer.findings);
    if (worst_ == kExitNothing ||
        (status >= kExitHang && (worst_ < kExitHang || status < worst_))) {
      worst_ = status;
    }
    if (looks_ == 0 || options_.output.format == "json") {
      const Result<std::string> text = Render(options_, answer, tasks_);
      return text ? PrintText(*text) : Status(Fail(text.error()));
    }
    std::string text;
    observation.degradations.clear();  // they have been told
    RenderOptions render;
    render.full = options_.output.full;
    render.color = WantsColor();
    for (const EndedFinding& ended : findings.ended) {
      text += fmt::format("ENDED  {} after {}\n", ToString(ended.kind),
                          FormatDuration(ended.last_seen - ended.since));
    }
    std::vector<std::size_t> news = findings.appeared;
    news.insert(news.end(), findings.changed.begin(), findings.changed.end());
    std::sort(news.begin(), news.end());
    TextContext context(observation, render);
    for (const std::size_t index : news) text += FindingText(context, answer.findings[index]);
    return PrintText("\n" + text +
                     RenderTaskChanges(observation, tasks, ClockTime(), tasks_, render));
  }

  int End() {
    const std::string line = fmt::format("process {} has ended", options_.pid);
    if (options_.output.format == "json") {
      fmt::print(stderr, "concurrency-tracer: {}\n", line);
    } else if (Status status = PrintText(fmt::format("\n{}  {}\n", ClockTime(), line)); !status) {
      return PrintError(status.error());
    }
    return worst_;
  }

  static std::string ClockTime() {
    const time_t now = time(nullptr);
    tm local{};
    localtime_r(&now, &local);
    return fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
  }

  const CommandOptions& options_;
  TasksOptions tasks_;
  Reader& reader_;
  std::unique_ptr<TaskOriginTracer> origin_tracer_;
  std::unique_ptr<TaskOrigins> origins_;  // nullptr: not asked for, or not to be had
  std::string no_origins_;                // why
  FindingTracker findings_;
  PythonMemory memory_;
  TaskTracker history_;
  std::uint64_t looks_ = 0;
  TimeNs searched_ = 0;
  ExitStatus worst_ = kExitNothing;
};

int Run(const CommandOptions& options) {
  if (options.task_origin && options.every == 0) {
    return PrintError(
        {ErrorCode::kUsage, "--task-origin needs --every: one look sees no task being made"});
  }
  TasksOptions tasks;
  tasks.tree = options.tree;
  if (!options.match.empty()) {
    const Result<Regex> regex = Compile(options.match);
    if (!regex) return PrintError(regex.error());
    tasks.match = [regex = *regex](const std::string& text) {
      return regexec(regex.get(), text.c_str(), 0, nullptr, 0) == 0;
    };
  }
  if (Status status = CheckFilter(Filter{{options.pid}, "", "", ""}); !status) {
    return PrintError(status.error());
  }
  Result<std::unique_ptr<Reader>> reader = Reader::Start({});
  if (!reader) return PrintError(reader.error());
  if (options.every != 0) return Watch(options, std::move(tasks), **reader).Run();
  PythonMemory memory;
  const Result<Answer> answer = Look(options, **reader, nullptr, memory, true);
  if (!answer) return PrintError(answer.error());
  const Result<std::string> text = Render(options, *answer, tasks);
  if (!text) return PrintError(text.error());
  if (Status status = PrintText(*text); !status) return PrintError(status.error());
  return ExitStatusOf(answer->observation, answer->findings);
}

}  // namespace

Command AddTasksCommand(CLI::App& app) {
  auto options = std::make_shared<CommandOptions>();
  CLI::App* command = app.add_subcommand(
      "tasks", "asyncio's tasks of a Python process: what each waits for and holds (without BPF)");
  command->add_option("-p,--pid", options->pid, "The process")
      ->required()
      ->check(CLI::PositiveNumber)
      ->type_name("PID");
  command->add_flag("--tree", options->tree, "Tasks below those that await them");
  command
      ->add_option("--match", options->match,
                   "Only tasks whose name, or a 'function file:line' of whose stack, matches")
      ->type_name("REGEX");
  AddDuration(*command, "--every", options->every,
              "Look again so often, and print what has changed, until the process ends or Ctrl-C");
  AddTaskOrigin(*command, options->task_origin);
  AddStuckTask(*command, options->stuck_task);
  AddExclusiveClasses(*command, options->exclusive_classes);
  command->add_flag(
      "--may-stop", options->may_stop,
      "Stop the process, twice for a few milliseconds, if its event loop never rests\n"
      "while it is read (a blocking call of it may return EINTR)");
  AddFormatOptions(*command, options->output);
  command->add_flag("--full", options->output.full, "All rows");
  command->footer("Exit status: as that of snapshot.");
  return [options] {
    if (options->every != 0) options->every = std::max(options->every, kMinEvery);
    return Run(*options);
  };
}

}  // namespace ct
