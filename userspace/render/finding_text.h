// One finding as text.
#pragma once

#include <string>
#include <vector>

#include "model/finding.h"
#include "render/text_context.h"

namespace ct {

std::string FindingText(TextContext& context, const Finding& finding);

// Who decides what happens: the ring or the chain in its order, then the root, then for a deadlock
// the other members that hold something, for a lock its holders that are known. Each once.
std::vector<ActorIndex> Principals(const TextContext& context, const Finding& finding);

}  // namespace ct
