// What a runtime knows that nobody takes care of.
#pragma once

#include <cstdint>
#include <string>

#include "model/edge.h"
#include "model/frame.h"

namespace ct {

// A future or task ended with an exception, and nobody has asked for it.
struct SwallowedException {
  ProcessIndex process = kNoIndex;
  std::uint64_t future = 0;  // its identity inside the process
  bool is_task = false;
  std::string name;  // of a task
  std::string type;  // "ConnectionResetError"
  std::string message;
  StackIndex raised_at = kNoIndex;
  StackIndex created_at = kNoIndex;  // of the future
  std::string referrer;              // who refers to it: "shop.jobs.running"
  // Probable: somebody who has it may still ask.
  Evidence evidence = Evidence::kUnknown;
  bool operator==(const SwallowedException&) const = default;
};

// Coroutines of one function that were called, have not begun and belong to no task.
struct NeverAwaited {
  ProcessIndex process = kNoIndex;
  StackIndex function = kNoIndex;  // one frame: where the function begins
  std::uint64_t count = 0;
  std::string referrer;  // who refers to them
  Evidence evidence = Evidence::kUnknown;
  bool operator==(const NeverAwaited&) const = default;
};

}  // namespace ct
