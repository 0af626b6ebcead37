#include "render/loop_text.h"

#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "model/names.h"
#include "render/words.h"

namespace ct {
namespace {

constexpr std::size_t kMaxLine = 400;  // bytes of a detail
constexpr std::size_t kMaxLoops = 16;
constexpr std::size_t kFullLoops = 1000;
constexpr int kCallers = 4;
constexpr DurationNs kToldShare = 5;  // a fifth

const LoopBlock* BlockAt(const TextContext& context, LoopBlockIndex index) {
  const auto& blocks = context.observation.loops.blocks;
  if (index < 0 || static_cast<std::size_t>(index) >= blocks.size()) return nullptr;
  return &blocks[static_cast<std::size_t>(index)];
}

// "3 times, worst 412 ms", "412 ms", "for 3.1 s so far".
std::string HowLong(const TextContext& context, const Finding& finding, const LoopBlock& worst) {
  std::uint64_t count = 0;
  const LoopBlock* going_on = nullptr;
  for (const LoopBlockIndex index : finding.loop_blocks) {
    const LoopBlock* block = BlockAt(context, index);
    if (block == nullptr) continue;
    count += block->count;
    if (block->in_progress) going_on = block;
  }
  std::string text;
  if (going_on == &worst) {
    text = fmt::format("{}for {} so far", count > 1 ? fmt::format("{} times, now ", count) : "",
                       FormatDuration(worst.worst));
  } else {
    text = count > 1 ? fmt::format("{} times, worst ", count) : "";
    text += FormatDuration(worst.worst);
  }
  // What is not the loop's doing.
  if (worst.worst_queued >= worst.worst / kToldShare) {
    text += fmt::format(" ({} of it without a CPU)", FormatDuration(worst.worst_queued));
  }
  return text;
}

std::string WhatRan(const LoopBlock& block) {
  std::string text;
  if (!block.task.empty()) text = "task " + CleanText(block.task, kMaxLine);
  if (block.several) text += text.empty() ? "several callbacks" : " and others";
  return text;
}

// From the innermost own frame outwards, without the library's frames.
std::string Callers(const TextContext& context, const LoopBlock& block) {
  const auto& stacks = context.observation.stacks;
  if (block.stack < 0 || static_cast<std::size_t>(block.stack) >= stacks.size()) return {};
  std::string line;
  int shown = 0;
  for (const Frame& frame : stacks[static_cast<std::size_t>(block.stack)].frames) {
    if (frame.origin != FrameOrigin::kPython || IsPythonLibrary(frame.file)) continue;
    if (shown++ == kCallers) break;
    const Place place = PlaceOf(frame, context.observation);
    line += fmt::format("{}{} {}", line.empty() ? "" : " < ", place.function, place.location);
  }
  return shown > 1 ? fmt::format("  stack: {}\n", line) : std::string();
}

// Iterations of which nobody can be accused.
std::uint64_t Unseen(const LoopActivity& activity, const EventLoop& loop) {
  std::uint64_t count = 0;
  for (const LoopBlock& block : activity.blocks) {
    if (block.thread == loop.thread && block.cause == BlockCause::kUnknown) count += block.count;
  }
  return count;
}

}  // namespace

std::string BlockedLoopText(TextContext& context, const Finding& finding) {
  const LoopBlock* worst =
      finding.loop_blocks.empty() ? nullptr : BlockAt(context, finding.loop_blocks.front());
  if (worst == nullptr) return {};
  const Place& place = context.frames.Innermost(worst->stack);
  std::string text = fmt::format("{}  {}", context.Paint(ToString(finding.kind), kYellow),
                                 HowLong(context, finding, *worst));
  if (!place.function.empty()) text += fmt::format("  in {}  {}", place.function, place.location);
  text += fmt::format(": {}", ToString(worst->cause));
  if (!worst->detail.empty()) text += ", " + CleanText(worst->detail, kMaxLine);
  if (const std::string ran = WhatRan(*worst); !ran.empty()) text += fmt::format(" ({})", ran);
  if (worst->cause != BlockCause::kUnknown)
    text += fmt::format("   {}", ToString(finding.evidence));
  text += '\n';
  if (context.HasActor(worst->thread)) {
    const Process* process = context.ProcessOf(worst->thread);
    text += fmt::format("  loop of {}{}{}\n", context.Who(worst->thread),
                        process == nullptr ? "" : " in ",
                        process == nullptr ? "" : DescribeProcess(*process));
  }
  text += Callers(context, *worst);
  if (!finding.advice.empty()) text += fmt::format("  {}.\n", CleanText(finding.advice, kMaxLine));
  return text;
}

std::string LoopsText(const TextContext& context) {
  const LoopActivity& activity = context.observation.loops;
  if (activity.since == 0) return {};
  const std::size_t limit = context.options.full ? kFullLoops : kMaxLoops;
  std::string text;
  std::size_t shown = 0;
  for (const EventLoop& loop : activity.loops) {
    if (shown++ == limit) break;
    text += fmt::format("LOOP  {}: {} in {}, busy {}, longest {}; {} of {} or longer",
                        context.Who(loop.thread), Plural(loop.iterations, "iteration"),
                        FormatDuration(context.observation.end - activity.since),
                        FormatDuration(loop.total), FormatDuration(loop.max), loop.slow,
                        FormatDuration(activity.threshold));
    if (loop.slow > 0) text += fmt::format(", {} in all", FormatDuration(loop.slow_total));
    if (const std::uint64_t unseen = Unseen(activity, loop); unseen > 0) {
      text += fmt::format(", of {} of them the cause was not seen", unseen);
    }
    if (loop.starved > 0) {
      text += fmt::format("; {} more only because it had no CPU, {} in all", loop.starved,
                          FormatDuration(loop.starved_total));
    }
    text += '\n';
  }
  if (activity.loops.size() > limit) {
    text += fmt::format("and {}\n", Plural(activity.loops.size() - limit, "more loop"));
  }
  return text;
}

std::string RenderLoops(const Observation& observation, const RenderOptions& options) {
  return LoopsText(TextContext(observation, options));
}

}  // namespace ct
