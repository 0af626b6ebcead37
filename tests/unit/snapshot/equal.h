// Whole snapshots compared: the message of one is the message of the other, and prints where not.
#pragma once

#include <span>
#include <string>

#include "snapshot/message.h"

namespace ct::testing {

inline std::string Whole(const Observation& observation, std::span<const Finding> findings) {
  return ToMessage(observation, findings).DebugString();
}

}  // namespace ct::testing
