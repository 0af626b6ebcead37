// What actors are in the middle of using without waiting for it: where two of them are, one of them
// may find what the other has left half done.
#pragma once

#include <cstdint>
#include <string>

#include "model/edge.h"

namespace ct {

enum class UseKind : std::uint8_t {
  kInside,       // runs a method of an object that allows only one at a time
  kThreadLocal,  // a task has stored into a threading.local what it will read after its wait
};

struct Use {
  ActorIndex actor = kNoIndex;
  ResourceIndex resource = kNoIndex;
  UseKind kind = UseKind::kInside;
  // kCertain: the uses of this actor and of all others in its process were so at one moment.
  Evidence evidence = Evidence::kUnknown;
  StackIndex at = kNoIndex;     // from the frame on that uses it
  std::string attribute;        // kThreadLocal: which one
  std::uint32_t read_line = 0;  // kThreadLocal: where it will be read, in the function of `at`
  bool operator==(const Use&) const = default;
};

}  // namespace ct
