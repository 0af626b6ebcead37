// What `full` and `all` add to a text: complete stacks and the table of waits.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "model/finding.h"
#include "render/text_context.h"

namespace ct {

// nullptr where there is none.
const Stack* StackAt(const TextContext& context, StackIndex index);

// A line for each frame, innermost first, and why the stack ends early if it does.
std::vector<std::string> FrameLines(const TextContext& context, const Stack& stack);

// The stacks of members, holders and roots; with `all` of everybody. Equal stacks once.
std::string StacksText(const TextContext& context, std::span<const Finding> findings);

// Every wait for a lock or a thread's end; with `all` the idle ones too. Equal waits once.
std::string WaitsText(TextContext& context);

}  // namespace ct
