// LONG_HOLD: locks, semaphores and units of pools that somebody has for long, whether anybody waits
// for them or not.
#include <algorithm>
#include <map>
#include <string>
#include <tuple>

#include <fmt/format.h>

#include "detect/context.h"
#include "model/own_frame.h"

namespace ct {

namespace {

// One lock by its name; those that have none, by where they were taken; else each for itself.
struct Key {
  ProcessIndex process = kNoIndex;
  ResourceKind kind = ResourceKind::kFutex;
  Implementation implementation = Implementation::kUnknown;
  std::string type;
  std::string symbol;
  Place place;
  ResourceIndex resource = kNoIndex;
  auto operator<=>(const Key&) const = default;
};

class LongHoldDetector {
 public:
  explicit LongHoldDetector(DetectContext& context)
      : context_(context),
        observation_(context.observation()),
        holds_(context.observation().hold_activity.long_holds),
        frames_(context.observation()) {
    for (std::size_t i = 0; i < observation_.actors.size(); ++i) {
      const Actor& actor = observation_.actors[i];
      if (actor.kind == ActorKind::kThread) {
        thread_.try_emplace(actor.id, static_cast<ActorIndex>(i));
      }
    }
  }

  std::vector<Finding> Run() {
    std::map<Key, std::vector<LongHoldIndex>> groups;
    for (std::size_t i = 0; i < holds_.size(); ++i) {
      if (!IsWorthTelling(holds_[i])) continue;
      groups[KeyOf(holds_[i])].push_back(static_cast<LongHoldIndex>(i));
    }
    std::vector<Finding> found;
    found.reserve(groups.size());
    for (auto& [key, rows] : groups) found.push_back(Write(std::move(rows)));
    return found;
  }

 private:
  static std::size_t Slot(std::int32_t index) { return static_cast<std::size_t>(index); }
  static bool InRange(std::int32_t index, std::size_t size) {
    return index >= 0 && Slot(index) < size;
  }

  ActorIndex HolderOf(const LongHold& hold) const {
    const auto found = thread_.find(hold.thread);
    return found == thread_.end() ? kNoIndex : found->second;
  }

  // Not if a finding says already that it has it, or why it does not go on.
  bool IsWorthTelling(const LongHold& hold) const {
    if (!InRange(hold.resource, observation_.resources.size()) ||
        !InRange(hold.process, observation_.processes.size()) ||
        hold.evidence == Evidence::kUnknown) {
      return false;
    }
    const ActorIndex holder = HolderOf(hold);
    if (hold.ended || holder == kNoIndex) return true;
    return !context_.IsExplained(holder) && !context_.IsToldToHold(holder, hold.resource);
  }

  Key KeyOf(const LongHold& hold) {
    const Resource& resource = observation_.resources[Slot(hold.resource)];
    Key key{hold.process, resource.kind, resource.implementation, resource.type, resource.symbol,
            {},           kNoIndex};
    if (!key.symbol.empty()) return key;
    key.place = frames_.Innermost(hold.acquired_at);
    if (key.place.function.empty()) key.resource = hold.resource;
    return key;
  }

  Finding Write(std::vector<LongHoldIndex> rows) const {
    std::stable_sort(rows.begin(), rows.end(), [this](LongHoldIndex a, LongHoldIndex b) {
      return holds_[Slot(a)].duration > holds_[Slot(b)].duration;
    });
    Finding finding;
    finding.kind = FindingKind::kLongHold;
    finding.ending = Ending::kMayEnd;
    finding.evidence = holds_[Slot(rows.front())].evidence;
    finding.since = holds_[Slot(rows.front())].since;
    std::set<ResourceIndex> told;
    for (const LongHoldIndex row : rows) {
      const LongHold& hold = holds_[Slot(row)];
      finding.since = std::min(finding.since, hold.since);
      if (told.insert(hold.resource).second) finding.resources.push_back(hold.resource);
      // The longest that has not ended.
      if (!hold.ended && finding.root == kNoIndex) finding.root = HolderOf(hold);
    }
    finding.long_holds = std::move(rows);
    const std::size_t count = finding.long_holds.size();
    finding.proof.push_back(fmt::format("{} hold{} of {} or longer, each seen as it was acquired",
                                        count, count == 1 ? "" : "s",
                                        FormatDuration(observation_.hold_activity.long_hold)));
    if (finding.evidence != Evidence::kCertain) {
      finding.proof.emplace_back(
          "a semaphore may be a signal, too: so far those who took this one gave it back");
    }
    if (finding.root != kNoIndex) {
      finding.proof.push_back(fmt::format("{} has it still and {}",
                                          context_.describe.Actor(finding.root),
                                          context_.describe.Doing(finding.root)));
    }
    return finding;
  }

  DetectContext& context_;
  const Observation& observation_;
  const std::vector<LongHold>& holds_;
  OwnFrames frames_;
  std::map<ThreadId, ActorIndex> thread_;
};

}  // namespace

std::vector<Finding> DetectLongHolds(DetectContext& context) {
  if (context.observation().hold_activity.long_holds.empty()) return {};
  return LongHoldDetector(context).Run();
}

}  // namespace ct
