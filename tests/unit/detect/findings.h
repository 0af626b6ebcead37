// What Detect finds in an observation given as text.
#pragma once

#include <string>
#include <string_view>

#include "detect/detect.h"
#include "tests/unit/graph/observation_builder.h"

namespace ct::testing {

inline std::string Findings(std::string_view text, const DetectOptions& options = {}) {
  const Observation observation = Observe(text);
  return Summary(Detect(observation, options), observation);
}

// The proof lines of the one finding in it.
inline std::vector<std::string> ProofOf(std::string_view text) {
  const std::vector<Finding> findings = Detect(Observe(text));
  return findings.size() == 1 ? findings.front().proof : std::vector<std::string>{"not one"};
}

}  // namespace ct::testing
