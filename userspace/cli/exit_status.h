// What the exit status says; scripts rely on it.
#pragma once

#include <span>

#include "base/result.h"
#include "model/finding.h"
#include "model/observation.h"

namespace ct {

enum ExitStatus : int {
  kExitNothing = 0,  // nothing found
  kExitError = 1,
  kExitUsage = 2,
  kExitNotSeen = 3,   // nothing found, but something relevant could not be read
  kExitHang = 10,     // something that cannot end by itself
  kExitFindings = 11  // other findings only
};

ExitStatus ExitStatusOf(const Observation& observation, std::span<const Finding> findings);
ExitStatus ExitStatusOf(const Error& error);

}  // namespace ct
