// The answer as a person reads it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "render/renderer.h"
#include "render/text_context.h"

namespace ct {

// Findings in the order given, then what the selected processes without one do, then what was not
// seen. Every text of the observation is printed without control characters, and cut.
std::string RenderText(const Observation& observation, std::span<const Finding> findings,
                       const RenderOptions& options);

// What was not seen, what is degraded, and the notes: the end of every text.
std::string TailText(const TextContext& context);

// "snapshot  ct-db3-977-20261122T140923Z.pb   84 ms, target not stopped"
std::string SnapshotLine(std::string_view file, DurationNs took);

}  // namespace ct
