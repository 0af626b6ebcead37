// SWALLOWED_EXCEPTION and NEVER_AWAITED in words.
#pragma once

#include <string>

#include "model/finding.h"
#include "render/text_context.h"

namespace ct {

std::string ForgottenText(TextContext& context, const Finding& finding);

}  // namespace ct
