// Locks that are taken in opposite orders, as text.
#pragma once

#include <string>

#include "model/finding.h"
#include "render/text_context.h"

namespace ct {

// Of a LOCK_ORDER_INVERSION; with `full` both stacks of each step.
std::string InversionText(TextContext& context, const Finding& finding);

}  // namespace ct
