// Fights for a GIL as text.
#pragma once

#include <span>
#include <string>

#include "model/finding.h"
#include "render/text_context.h"

namespace ct {

// Of a GIL_CONTENTION: who waits, who has it, and how that went on over the time.
std::string GilText(TextContext& context, const Finding& finding);

// Of all that are among `findings`, each after a blank line.
std::string RenderGils(const Observation& observation, std::span<const Finding> findings,
                       const RenderOptions& options);

}  // namespace ct
