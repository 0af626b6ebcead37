#include "cli/print.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "render/renderer.h"

namespace ct {

ExitStatus PrintError(const Error& error) {
  if (!error.message.empty()) fprintf(stderr, "concurrency-tracer: %s\n", error.message.c_str());
  return ExitStatusOf(error);
}

bool WantsColor() { return isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == nullptr; }

Status PrintText(const std::string& text) {
  if (fwrite(text.data(), 1, text.size(), stdout) != text.size() || fflush(stdout) != 0) {
    // "show | head" has read all that it wants: no reason to complain.
    if (errno == EPIPE) return Fail(ErrorCode::kIo, "");
    return FailErrno("writing to standard output", errno);
  }
  return {};
}

Status PrintAnswer(const Answer& answer, const OutputOptions& output, bool all,
                   const std::vector<std::string>& notes) {
  const Renderer* renderer = FindRenderer(output.format);
  if (renderer == nullptr) {
    return Fail(ErrorCode::kUsage, "there is no format '" + output.format + "'");
  }
  RenderOptions options;
  options.full = output.full;
  options.all = all;
  options.color = WantsColor();
  options.notes = notes;
  const Result<std::string> text = renderer->render(answer.observation, answer.findings, options);
  if (!text) return Fail(text.error());
  return PrintText(*text);
}

}  // namespace ct
