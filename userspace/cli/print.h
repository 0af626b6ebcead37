// To the terminal: answers to standard output, everything else to standard error.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/exit_status.h"
#include "cli/options.h"
#include "cli/session.h"

namespace ct {

// "concurrency-tracer: message", and the exit status for it.
ExitStatus PrintError(const Error& error);

// The answer in the format asked for. Returns an error if standard output cannot be written.
Status PrintAnswer(const Answer& answer, const OutputOptions& output, bool all,
                   const std::vector<std::string>& notes = {});

// Writes all of `text` to standard output.
Status PrintText(const std::string& text);

// True if standard output is a terminal that wants colour (NO_COLOR is unset).
bool WantsColor();

}  // namespace ct
