#include <memory>

#include "cli/commands.h"
#include "cli/print.h"
#include "snapshot/file.h"
#include "snapshot/snapshot.h"

namespace ct {
namespace {

struct ShowOptions {
  std::string file;
  OutputOptions output;
  bool all = false;
};

int Run(const ShowOptions& options) {
  const Result<std::string> bytes = ReadFile(options.file);
  if (!bytes) return PrintError(bytes.error());
  Result<SnapshotContents> contents = Decode(std::string_view(*bytes));
  if (!contents) return PrintError(contents.error().With(options.file));
  const Answer answer{std::move(contents->observation), std::move(contents->findings)};
  std::vector<std::string> notes;
  if (const std::string note = FormatNote(contents->format); !note.empty()) notes.push_back(note);
  if (Status status = PrintAnswer(answer, options.output, options.all, notes); !status) {
    return PrintError(status.error());
  }
  return ExitStatusOf(answer.observation, answer.findings);
}

}  // namespace

Command AddShowCommand(CLI::App& app) {
  auto options = std::make_shared<ShowOptions>();
  CLI::App* command =
      app.add_subcommand("show", "Show a snapshot file, on any machine and without root");
  command->add_option("FILE", options->file, "A snapshot file")->required();
  AddFormatOptions(*command, options->output);
  command->add_flag("--full", options->output.full, "Complete stacks of all who matter");
  command->add_flag("--all", options->all, "Idle waits too, where the snapshot has them");
  command->footer("Exit status: as that of the command that wrote the file.");
  return [options] { return Run(*options); };
}

}  // namespace ct
