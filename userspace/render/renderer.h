// What can be made of an Observation and its findings for a reader; one file a format.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/finding.h"
#include "model/observation.h"

namespace ct {

struct RenderOptions {
  bool full = false;    // text: complete stacks of all who matter, all contended waits, all losses
  bool all = false;     // text: idle waits too, and with `full` the stacks of everybody
  bool color = false;   // text: SGR escape sequences
  bool pretty = false;  // json: indented; otherwise one line
  // Lines about the input itself, such as FormatNote's; printed at the end of a text.
  std::vector<std::string> notes;
};

struct Renderer {
  std::string_view name;  // as in --format
  Result<std::string> (*render)(const Observation& observation, std::span<const Finding> findings,
                                const RenderOptions& options);
};

std::span<const Renderer> Renderers();
// nullptr if there is none of that name.
const Renderer* FindRenderer(std::string_view name);

}  // namespace ct
