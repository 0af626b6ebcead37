// Holds as text: the long ones, and the table of all.
#pragma once

#include <cstddef>
#include <string>

#include "model/finding.h"
#include "render/text_context.h"

namespace ct {

// Of a LONG_HOLD; with `full` the stacks of its longest.
std::string LongHoldText(TextContext& context, const Finding& finding);

struct HoldsView {
  std::size_t rows = 20;  // the rest is counted
};

// A row for each lock, semaphore and pool whose acquires were followed: those that were held
// longest first. Empty if none were.
std::string RenderHolds(const Observation& observation, const HoldsView& view,
                        const RenderOptions& options);

}  // namespace ct
