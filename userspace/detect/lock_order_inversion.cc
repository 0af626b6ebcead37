// LOCK_ORDER_INVERSION: threads take the same locks in opposite orders. It could deadlock; that it
// has not is told apart.
#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>

#include <fmt/format.h>

#include "base/hash.h"
#include "detect/context.h"
#include "graph/order_rings.h"
#include "model/own_frame.h"

namespace ct {

namespace {

constexpr std::size_t kMaxSteps = 16;  // of the proof; who reads more has the orders themselves
constexpr std::size_t kMaxDoubts = 3;  // locks whose identity is doubted by name

// A lock of static memory is the same one as long as its library is loaded. Elsewhere the same
// address may have been another lock's before, and nobody need have seen that one end.
bool IsSureToBeOne(const Resource& resource) {
  return !resource.symbol.empty() || resource.where.starts_with(".bss") ||
         resource.where.starts_with(".data");
}

class InversionWriter {
 public:
  explicit InversionWriter(DetectContext& context)
      : context_(context), observation_(context.observation()), frames_(context.observation()) {}

  void FindIn(ProcessIndex process, std::vector<Finding>& found) {
    const OrderRings rings =
        FindOrderRings(observation_, process,
                       [this](const LockOrderSighting& sighting) { return PlaceOf(sighting); });
    const std::size_t before = found.size();
    for (const OrderRing& ring : rings.rings) {
      if (!IsDeadlocked(ring)) found.push_back(Write(ring));
    }
    if (found.size() > before && rings.more > 0) {
      found.back().proof.push_back(
          fmt::format("{} more inversions of this process are not told: too many", rings.more));
    }
    if (rings.complete) return;
    const Process& where = observation_.processes[static_cast<std::size_t>(process)];
    context_.undecided.push_back({"orders of locks: too many rings to look at each", 1, true,
                                  fmt::format("pid {} ({})", where.id.tid, where.name)});
  }

 private:
  const LockOrder& OrderAt(const OrderStep& step) const {
    return observation_.hold_activity.orders[static_cast<std::size_t>(step.order)];
  }
  const LockOrderSighting& SightingAt(const OrderStep& step) const {
    return OrderAt(step).sightings[static_cast<std::size_t>(step.sighting)];
  }

  // By the reader's own lines: callers of those may be many.
  std::uint64_t PlaceOf(const LockOrderSighting& sighting) {
    std::size_t hash = 1;
    for (const StackIndex stack : {sighting.held_at, sighting.wanted_at}) {
      const Place& place = frames_.Innermost(stack);
      if (place.function.empty()) return 0;
      hash = HashCombine(hash, std::hash<std::string>()(place.function));
      hash = HashCombine(hash, std::hash<std::string>()(place.location));
    }
    return std::max<std::uint64_t>(hash, 1);
  }

  bool IsDeadlocked(const OrderRing& ring) const {
    return std::all_of(ring.steps.begin(), ring.steps.end(), [this](const OrderStep& step) {
      return context_.IsDeadlocked(OrderAt(step).held);
    });
  }

  Finding Write(const OrderRing& ring) {
    Finding finding;
    finding.kind = FindingKind::kLockOrderInversion;
    finding.evidence = Evidence::kCertain;
    finding.ending = Ending::kMayEnd;
    finding.orders = ring.steps;
    for (const OrderStep& step : ring.steps) {
      finding.resources.push_back(OrderAt(step).held);
      finding.since = std::max(finding.since, SightingAt(step).at);
    }
    WriteSteps(finding);
    WriteDoubts(ring, finding);
    if (ring.alike > 0) {
      finding.proof.push_back(fmt::format("{} more ring{} of other locks at the same places",
                                          ring.alike, ring.alike == 1 ? "" : "s"));
    }
    finding.advice = "Take these locks in one order everywhere";
    return finding;
  }

  void WriteSteps(Finding& finding) {
    for (std::size_t i = 0; i < std::min(finding.orders.size(), kMaxSteps); ++i) {
      const OrderStep& step = finding.orders[i];
      const LockOrderSighting& sighting = SightingAt(step);
      finding.proof.push_back(fmt::format(
          "{} ({}) had {}{}, and asked for {}{}", sighting.thread_name, sighting.thread.tid,
          context_.describe.Resource(OrderAt(step).held), In(", taken", sighting.held_at),
          context_.describe.Resource(OrderAt(step).wanted), In("", sighting.wanted_at)));
    }
    if (finding.orders.size() > kMaxSteps) {
      finding.proof.push_back(
          fmt::format("and so on for {} more", finding.orders.size() - kMaxSteps));
    }
    finding.proof.emplace_back("no lock that two of them had keeps them apart");
  }

  // " in Ledger::post ledger.cc:71"; empty where that is not known.
  std::string In(const char* what, StackIndex stack) {
    const Place& place = frames_.Innermost(stack);
    if (place.function.empty()) return {};
    return fmt::format("{} in {}{}{}", what, place.function, place.location.empty() ? "" : " ",
                       place.location);
  }

  void WriteDoubts(const OrderRing& ring, Finding& finding) {
    std::vector<std::string> doubts;
    if (ring.any_thread) {
      doubts.emplace_back(
          "not certain: one thread was seen at two of these steps, but one of them is taken by "
          "more "
          "threads than are kept");
    }
    std::size_t moved = 0;
    for (const ResourceIndex index : finding.resources) {
      const Resource& resource = observation_.resources[static_cast<std::size_t>(index)];
      if (resource.kind == ResourceKind::kPool && resource.capacity != 1U) {
        doubts.push_back(fmt::format(
            "not certain: {} has {} units, and all of them must be in use",
            context_.describe.Resource(index),
            resource.capacity ? std::to_string(*resource.capacity) : "an unknown number of"));
      }
      if (IsSureToBeOne(resource) || ++moved > kMaxDoubts) continue;
      doubts.push_back(
          fmt::format("not certain: {} need not be one lock: another may have been at that address",
                      context_.describe.Resource(index)));
    }
    if (moved > kMaxDoubts) {
      doubts.push_back(fmt::format("the same of {} more", moved - kMaxDoubts));
    }
    if (!doubts.empty()) finding.evidence = Evidence::kProbable;
    std::move(doubts.begin(), doubts.end(), std::back_inserter(finding.proof));
  }

  DetectContext& context_;
  const Observation& observation_;
  OwnFrames frames_;
};

}  // namespace

std::size_t StepsInProof(const Finding& finding) {
  return std::min(finding.orders.size(), kMaxSteps + 1);  // with "and so on"
}

std::vector<Finding> DetectInversions(DetectContext& context) {
  std::set<ProcessIndex> processes;
  for (const LockOrder& order : context.observation().hold_activity.orders) {
    const bool known = order.process >= 0 && static_cast<std::size_t>(order.process) <
                                                 context.observation().processes.size();
    if (known) processes.insert(order.process);
  }
  InversionWriter writer(context);
  std::vector<Finding> found;
  for (const ProcessIndex process : processes) writer.FindIn(process, found);
  return found;
}

}  // namespace ct
