#include "observe/hold_probes.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

namespace ct {
namespace {

bool IsAcquire(HoldRole role) {
  return role == HoldRole::kAcquire || role == HoldRole::kTryAcquire;
}

int ArmingRank(HoldRole role) {
  switch (role) {
    case HoldRole::kBegin:
    case HoldRole::kEnd:
      return 0;
    case HoldRole::kRelease:
      return 1;
    case HoldRole::kConditionWait:
      return 2;
    case HoldRole::kAcquire:
    case HoldRole::kTryAcquire:
      break;
  }
  return 3;
}

HoldProbe ProbeOf(const CatalogFamily& family, const CatalogFunction& function,
                  const ProbeSite& site) {
  HoldProbe probe;
  probe.family = family.name;
  probe.role = function.role;
  probe.kind = family.kind;
  probe.implementation = family.implementation;
  probe.type = family.type;
  probe.mode = function.mode;
  probe.key_argument = function.key_argument;
  probe.has_unit = family.has_units;
  probe.unit_argument = function.unit_argument;
  probe.capacity = family.capacity;
  probe.success = function.success;
  probe.succeeds = function.succeeds;
  probe.owner = family.owner;
  probe.site = site;
  return probe;
}

class FamilySelector {
 public:
  FamilySelector(const CatalogFamily& family, ProbeSelection& out) : family_(family), out_(out) {}

  void Add(const CatalogFunction& function, const FunctionFound& found) {
    any_ = true;
    if (!found.why_not.empty()) {
      // By the owner's word it is known, too, who has the mutex after a condition's wait.
      const bool without_returns = function.role == HoldRole::kConditionWait &&
                                   family_.owner.has_owner && found.site.entry_offset != 0;
      if (!without_returns) {
        refused_.push_back(
            fmt::format("{}: {}: {}", family_.name, found.site.function, found.why_not));
        return;
      }
    }
    probes_.push_back(ProbeOf(family_, function, found.site));
  }

  void Finish() {
    const auto has = [&](auto predicate) {
      return std::any_of(probes_.begin(), probes_.end(),
                         [&](const HoldProbe& probe) { return predicate(probe.role); });
    };
    out_.refused.insert(out_.refused.end(), refused_.begin(), refused_.end());
    if (!any_) return;
    const bool acquires = has(IsAcquire);
    if (!acquires || !has([](HoldRole role) { return role == HoldRole::kRelease; })) {
      out_.refused.push_back(fmt::format("{}: not followed: no {} of it can be probed",
                                         family_.name, acquires ? "release" : "acquire"));
      return;
    }
    std::stable_sort(probes_.begin(), probes_.end(), [](const HoldProbe& a, const HoldProbe& b) {
      return ArmingRank(a.role) < ArmingRank(b.role);
    });
    out_.families.push_back({family_.name, std::move(probes_)});
  }

 private:
  const CatalogFamily& family_;
  ProbeSelection& out_;
  std::vector<HoldProbe> probes_;
  std::vector<std::string> refused_;
  bool any_ = false;
};

}  // namespace

ProbeSelection SelectProbes(std::span<const CatalogFamily> catalog,
                            std::span<const FunctionFound> found) {
  ProbeSelection selection;
  std::uint32_t question = 0;  // in the order of QueriesOf
  for (const CatalogFamily& family : catalog) {
    FamilySelector selector(family, selection);
    for (const CatalogFunction& function : family.functions) {
      for (const FunctionFound& answer : found) {
        if (answer.query == question) selector.Add(function, answer);
      }
      ++question;
    }
    selector.Finish();
  }
  return selection;
}

}  // namespace ct
