// Why a knot is a deadlock, in words that can be checked by hand.
#pragma once

#include <string>
#include <vector>

#include "detect/context.h"

namespace ct {

// One line a step; bounded, whatever the knot's size. The finding's members, ring and
// blocked_behind are set.
std::vector<std::string> DeadlockProof(const DetectContext& context, const Finding& finding);

}  // namespace ct
