#include "locks/frame_rules.h"

#include <algorithm>

namespace ct {

std::string PlainName(std::string_view function) {
  std::string plain;
  int depth = 0;
  for (const char c : function) {
    if (c == '[') ++depth;
    if (depth == 0 && c != '<' && c != '>') plain += c;
    if (c == ']' && depth > 0) --depth;
  }
  return plain;
}

std::optional<FrameMatch> MatchInnermost(std::span<const Frame> frames,
                                         std::span<const FrameRule> rules) {
  const std::size_t end = std::min(frames.size(), kCallerFrames);
  for (std::size_t i = 0; i < end; ++i) {
    const std::string name = PlainName(frames[i].function);
    for (const FrameRule& rule : rules) {
      if (name.find(rule.text) != std::string::npos) return FrameMatch{&rule, i};
    }
  }
  return std::nullopt;
}

std::optional<WaitReading> ReadingOf(const DecodeContext& context, const FrameMatch& match,
                                     Implementation implementation) {
  WaitReading reading = ReadingOf(context, match.rule->kind, implementation, context.call.word);
  reading.purpose = match.rule->purpose;
  reading.type = match.rule->type;
  reading.mode = match.rule->mode;
  reading.evidence = Evidence::kCertain;
  reading.evidence_note = "keeps no owner, frames in " + std::string(match.rule->text);
  if (!ReadOwner(reading, context.memory, context.threads)) return std::nullopt;
  return reading;
}

}  // namespace ct
