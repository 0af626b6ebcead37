// The subcommands. Each adds itself to the command line and returns what runs it.
#pragma once

#include <functional>

#include <CLI/CLI.hpp>

namespace ct {

using Command = std::function<int()>;  // returns the exit status

// concurrency-tracer [-p ...]: traces until interrupted. Options go to the application itself.
Command AddTraceCommand(CLI::App& app);
// snapshot, and dump, which writes no file.
Command AddSnapshotCommand(CLI::App& app, bool write_file);
// contention: waits as they happen, counted
Command AddContentionCommand(CLI::App& app);
// tasks: of a Python process, by reading alone
Command AddTasksCommand(CLI::App& app);
// doctor
Command AddDoctorCommand(CLI::App& app);
// show FILE
Command AddShowCommand(CLI::App& app);

}  // namespace ct
