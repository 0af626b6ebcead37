// What this process may do, and the words for what it may not.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace ct {

// Of capabilities(7), by its number; in the effective set. False, too, if that cannot be read.
bool HasCapability(int capability);

// kPermission: "run this as root: CAP_BPF, CAP_PERFMON are missing".
tl::unexpected<Error> FailWithoutCapabilities(const std::vector<std::string>& missing);

}  // namespace ct
