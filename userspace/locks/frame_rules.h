// Waits of libraries that call futex themselves are told by the names of their functions.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "locks/decoders.h"

namespace ct {

struct FrameRule {
  std::string_view text;  // in the plain name of a function
  ResourceKind kind = ResourceKind::kPark;
  WaitPurpose purpose = WaitPurpose::kEvent;
  std::string_view type;  // as the user would write it
  AccessMode mode = AccessMode::kExclusive;
};

struct FrameMatch {
  const FrameRule* rule = nullptr;
  std::size_t index = 0;  // of the frame
};

// A demangled name without angle brackets and bracketed hashes: Rust's v0 names read
// "<std[e28293b1aa0f68bd]::sys::sync::mutex::futex::Mutex>::lock_contended".
std::string PlainName(std::string_view function);

// The innermost frame that any rule fits, among the first that a blocking call can pass through.
std::optional<FrameMatch> MatchInnermost(std::span<const Frame> frames,
                                         std::span<const FrameRule> rules);

// A certain reading of what the rule says, on the futex word itself, without an owner.
std::optional<WaitReading> ReadingOf(const DecodeContext& context, const FrameMatch& match,
                                     Implementation implementation);

}  // namespace ct
