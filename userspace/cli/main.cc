#include <signal.h>

#include <cstdio>
#include <cstring>
#include <exception>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/exit_status.h"
#include "cli/session.h"
#include "reader/reader.h"

namespace ct {
namespace {

int Main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], kReaderCommand) == 0) return RunReader(3);
  // A reader that went away is an answer (EPIPE), not a reason to die.
  signal(SIGPIPE, SIG_IGN);

  CLI::App app(
      "Who waits for what, who holds it, since when, and can it ever end?\n"
      "Without a command: traces the host, or the processes given, until interrupted.");
  app.name("concurrency-tracer");
  app.set_version_flag("--version", ToolVersion());
  app.require_subcommand(0, 1);
  const Command trace = AddTraceCommand(app);
  const Command snapshot = AddSnapshotCommand(app, true);
  const Command dump = AddSnapshotCommand(app, false);
  const Command contention = AddContentionCommand(app);
  const Command tasks = AddTasksCommand(app);
  const Command doctor = AddDoctorCommand(app);
  const Command show = AddShowCommand(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
      return app.exit(error);  // --help, --version
    }
    fprintf(stderr, "concurrency-tracer: %s\nTry: concurrency-tracer --help\n", error.what());
    return kExitUsage;
  }
  if (app.got_subcommand("snapshot")) return snapshot();
  if (app.got_subcommand("dump")) return dump();
  if (app.got_subcommand("contention")) return contention();
  if (app.got_subcommand("tasks")) return tasks();
  if (app.got_subcommand("doctor")) return doctor();
  if (app.got_subcommand("show")) return show();
  return trace();
}

}  // namespace
}  // namespace ct

int main(int argc, char** argv) {
  try {
    return ct::Main(argc, argv);
  } catch (const std::exception& error) {  // out of memory
    fprintf(stderr, "concurrency-tracer: %s\n", error.what());
    return ct::kExitError;
  }
}
