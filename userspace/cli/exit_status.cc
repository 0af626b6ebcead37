#include "cli/exit_status.h"

#include <algorithm>

namespace ct {

ExitStatus ExitStatusOf(const Observation& observation, std::span<const Finding> findings) {
  const bool hang = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.ending == Ending::kNever || finding.ending == Ending::kUnlessSignalled;
  });
  if (hang) return kExitHang;
  if (!findings.empty()) return kExitFindings;
  const bool lost = std::any_of(observation.losses.begin(), observation.losses.end(),
                                [](const Loss& loss) { return loss.relevant && loss.count > 0; });
  return lost ? kExitNotSeen : kExitNothing;
}

ExitStatus ExitStatusOf(const Error& error) {
  return error.code == ErrorCode::kUsage ? kExitUsage : kExitError;
}

}  // namespace ct
