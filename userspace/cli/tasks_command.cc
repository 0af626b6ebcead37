#include <regex.h>

#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/print.h"
#include "cli/session.h"
#include "detect/detect.h"
#include "observe/exclusive_classes.h"
#include "observe/filter.h"
#include "observe/python_process.h"
#include "render/json.h"
#include "render/tasks_text.h"

namespace ct {
namespace {

struct CommandOptions {
  pid_t pid = 0;
  bool tree = false;
  std::string match;
  std::vector<std::string> exclusive_classes;
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

Result<Answer> Look(const CommandOptions& options) {
  if (Status status = CheckFilter(Filter{{options.pid}, "", "", ""}); !status) {
    return Fail(status.error());
  }
  Result<std::unique_ptr<Reader>> reader = Reader::Start({});
  if (!reader) return Fail(reader.error());
  std::vector<std::string> classes = DefaultExclusiveClasses();
  classes.insert(classes.end(), options.exclusive_classes.begin(), options.exclusive_classes.end());
  Result<Observation> observation = LookAtPython(**reader, options.pid, classes);
  if (!observation) return Fail(observation.error());
  Answer answer;
  answer.observation = std::move(*observation);
  answer.observation.host = ReadHost();
  answer.observation.tool_version = ToolVersion();
  answer.findings = Detect(answer.observation, {});
  return answer;
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

int Run(const CommandOptions& options) {
  TasksOptions tasks;
  tasks.tree = options.tree;
  if (!options.match.empty()) {
    const Result<Regex> regex = Compile(options.match);
    if (!regex) return PrintError(regex.error());
    tasks.match = [regex = *regex](const std::string& text) {
      return regexec(regex.get(), text.c_str(), 0, nullptr, 0) == 0;
    };
  }
  const Result<Answer> answer = Look(options);
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
  AddExclusiveClasses(*command, options->exclusive_classes);
  AddFormatOptions(*command, options->output);
  command->add_flag("--full", options->output.full, "All rows");
  command->footer("Exit status: as that of snapshot.");
  return [options] { return Run(*options); };
}

}  // namespace ct
