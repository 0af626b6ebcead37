#include <memory>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/print.h"
#include "cli/python_answer.h"
#include "cli/session.h"
#include "snapshot/file.h"
#include "snapshot/snapshot.h"

namespace ct {
namespace {

struct SnapshotOptions {
  TargetOptions target;
  OutputOptions output;
  std::string file;
  bool write_file = true;
  bool all = false;
  DurationNs loop_block = kDefaultLoopBlock;
};

// Somebody on CPU is watched this long before "spinning" is said of him.
constexpr DurationNs kVerdictPause = 100 * kMillisecond;

std::string FileFor(const SnapshotOptions& options, const Answer& answer) {
  if (!options.file.empty()) return options.file;
  const Observation& observation = answer.observation;
  const pid_t pid = options.target.filter.pids.size() == 1 ? options.target.filter.pids.front() : 0;
  return DefaultFileName(observation.host.name, pid, observation.end + observation.realtime_offset);
}

// Where BPF is not to be had, of a Python process what can be read of it is.
Result<Answer> LookWithoutBpf(const TargetOptions& target, const Error& why) {
  if (target.filter.pids.size() != 1) return Fail(why);
  const pid_t pid = target.filter.pids.front();
  if (target.filter.Text() != Filter{{pid}, "", "", ""}.Text()) return Fail(why);
  Result<std::unique_ptr<Reader>> reader = Reader::Start({});
  if (!reader) return Fail(why);
  PythonLookOptions look;
  look.exclusive_classes = target.exclusive_classes;
  DetectOptions detect;
  detect.long_wait = target.long_wait;
  detect.stuck_task = target.stuck_task;
  PythonMemory memory;
  Result<Answer> answer = LookByReading(**reader, pid, look, detect, memory);
  if (!answer) return Fail(answer.error().code == ErrorCode::kNotFound ? answer.error() : why);
  auto& degradations = answer->observation.degradations;
  degradations.insert(degradations.begin(), "without BPF (" + why.message + ")");
  return answer;
}

Result<Answer> Look(const SnapshotOptions& options) {
  Result<std::unique_ptr<Session>> session = Session::Start({.target = options.target,
                                                             .all_waits = options.all,
                                                             .verdict_pause = kVerdictPause,
                                                             .loop_block = options.loop_block});
  if (session) return (*session)->Look();
  const Error& why = session.error();
  const bool no_bpf = why.code == ErrorCode::kPermission || why.code == ErrorCode::kUnsupported;
  return no_bpf ? LookWithoutBpf(options.target, why) : Fail(why);
}

int Run(const SnapshotOptions& options) {
  const Result<Answer> answer = Look(options);
  if (!answer) return PrintError(answer.error());
  const ExitStatus exit_status = ExitStatusOf(answer->observation, answer->findings);
  if (Status status = PrintAnswer(*answer, options.output, options.all); !status) {
    return PrintError(status.error());
  }
  if (!options.write_file) return exit_status;

  const std::string file = FileFor(options, *answer);
  if (Status status = WriteFile(file, Encode(answer->observation, answer->findings)); !status) {
    return PrintError(status.error());
  }
  const std::string line = fmt::format("snapshot  {}   {}, target not stopped\n", file,
                                       FormatDuration(answer->observation.cost.total));
  // JSON stays JSON on standard output.
  if (options.output.format == "json") {
    fputs(line.c_str(), stderr);
  } else if (Status status = PrintText(line); !status) {
    return PrintError(status.error());
  }
  return exit_status;
}

}  // namespace

Command AddSnapshotCommand(CLI::App& app, bool write_file) {
  auto options = std::make_shared<SnapshotOptions>();
  options->write_file = write_file;
  CLI::App* command = app.add_subcommand(
      write_file ? "snapshot" : "dump",
      write_file ? "Say what hangs and why, now, and write a snapshot file for the ticket"
                 : "The same without a file");
  AddTargetOptions(*command, options->target);
  AddLoopOption(*command, options->loop_block);
  RefuseTaskOrigin(*command);
  AddFormatOptions(*command, options->output);
  if (write_file) {
    command
        ->add_option("-o,--output", options->file,
                     "Where to (default: ct-HOST-PID-TIME.pb in the current directory)")
        ->type_name("FILE");
  }
  command->add_flag("--all", options->all, "List idle waits too, and every thread");
  command->add_flag("--full", options->output.full, "Complete stacks of all who matter");
  command->footer(
      "Exit status: 0 nothing found, 1 error, 2 usage, 3 nothing found but something relevant\n"
      "could not be read, 10 something that cannot end by itself, 11 other findings only.");
  return [options] { return Run(*options); };
}

}  // namespace ct
