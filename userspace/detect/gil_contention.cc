// GIL_CONTENTION: threads of Python that want to run and wait for each other to. Nobody's fault,
// and what makes them slow.
#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "detect/context.h"

namespace ct {

namespace {

// Shorter runs tell nothing.
constexpr std::uint32_t kMinLooks = 10;
// Of the interval, somebody waited: below it a service that serves from several threads is well.
constexpr double kShare = 0.3;

std::string AdviceOn(const GilContention& gil) {
  if (gil.holders.empty()) return "";
  const GilHolder& most = gil.holders.front();
  if (most.collecting) return "Fewer objects that live long, or gc.freeze() after the start";
  return fmt::format(
      "Only one thread runs Python at a time: move what {} does to another process, or into C "
      "code that releases the GIL",
      most.name);
}

}  // namespace

double ContendedShare(const GilContention& gil) {
  double contended = 0;
  double all = 0;
  for (const GilSlice& slice : gil.slices) {
    const auto length = static_cast<double>(slice.length);
    all += length;
    // Nobody waits where nobody looked: see GilWatch.
    if (slice.looks > 0) contended += length * slice.contended / slice.looks;
  }
  return all > 0 ? contended / all : 0;
}

std::vector<Finding> DetectGilContention(DetectContext& context) {
  const Observation& observation = context.observation();
  std::vector<Finding> found;
  for (const GilContention& gil : observation.contention.gils) {
    std::uint32_t looks = 0;
    for (const GilSlice& slice : gil.slices) looks += slice.looks;
    const bool known =
        gil.resource >= 0 && static_cast<std::size_t>(gil.resource) < observation.resources.size();
    if (!known || looks < kMinLooks || ContendedShare(gil) < kShare) continue;
    Finding finding;
    finding.kind = FindingKind::kGilContention;
    finding.evidence = Evidence::kCertain;
    finding.ending = Ending::kMayEnd;
    finding.resources = {gil.resource};
    const auto first = std::find_if(gil.slices.begin(), gil.slices.end(),
                                    [](const GilSlice& slice) { return slice.contended > 0; });
    finding.since = first->begin;
    finding.proof = {fmt::format("somebody waited for it in {:.0f} % of the time, by {} looks",
                                 100 * ContendedShare(gil), looks)};
    finding.advice = AdviceOn(gil);
    found.push_back(std::move(finding));
  }
  return found;
}

}  // namespace ct
