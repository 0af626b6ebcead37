// Event loops as text.
#pragma once

#include <string>

#include "model/finding.h"
#include "render/text_context.h"

namespace ct {

// Of an EVENT_LOOP_BLOCKED.
std::string BlockedLoopText(TextContext& context, const Finding& finding);

// "LOOP  web (4242): 10234 iterations, ..." for each loop that was watched; empty if none was.
std::string LoopsText(const TextContext& context);

std::string RenderLoops(const Observation& observation, const RenderOptions& options);

}  // namespace ct
