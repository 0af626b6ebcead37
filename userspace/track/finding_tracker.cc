#include "track/finding_tracker.h"

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <utility>

#include "base/hash.h"
#include "model/own_frame.h"

namespace ct {

namespace {

// With members that could not be observed a finding is given up after this many observations
// without it: some seconds of sweeps, long enough for a reader to be restarted.
constexpr std::uint32_t kMaxMisses = 16;

template <class T>
const T* At(const std::vector<T>& table, std::int32_t index) {
  if (index < 0 || static_cast<std::size_t>(index) >= table.size()) return nullptr;
  return &table[static_cast<std::size_t>(index)];
}

ActorId IdOf(const Actor& actor) { return {actor.id, actor.task}; }

// Evidence may grow from one to the other while the hang stays the same.
FindingKind Family(FindingKind kind) {
  return kind == FindingKind::kProbableDeadlock ? FindingKind::kDeadlock : kind;
}

ActorId IdOfProcess(const Observation& observation, ProcessIndex index) {
  const Process* process = At(observation.processes, index);
  return process != nullptr ? ActorId{process->id, 0} : ActorId();
}

const LockOrder* FirstOrder(const Finding& finding, const Observation& observation) {
  return finding.orders.empty()
             ? nullptr
             : At(observation.hold_activity.orders, finding.orders.front().order);
}

// Those who had it, each once.
std::vector<ActorId> HoldersOf(const Finding& finding, const Observation& observation) {
  std::vector<ActorId> actors;
  for (const LongHoldIndex index : finding.long_holds) {
    const LongHold* hold = At(observation.hold_activity.long_holds, index);
    if (hold == nullptr || actors.size() == EndedFinding::kMaxNamed) continue;
    const ActorId holder{hold->thread, 0};
    if (std::find(actors.begin(), actors.end(), holder) == actors.end()) actors.push_back(holder);
  }
  return actors;
}

std::vector<ActorId> ActorsOf(const Finding& finding, const Observation& observation) {
  // Whose process it is: any thread of it may take those locks.
  if (const LockOrder* order = FirstOrder(finding, observation)) {
    return {IdOfProcess(observation, order->process)};
  }
  if (!finding.long_holds.empty()) return HoldersOf(finding, observation);
  std::vector<ActorId> actors;
  for (const ActorIndex member : finding.members) {
    if (actors.size() == EndedFinding::kMaxNamed) return actors;
    if (const Actor* actor = At(observation.actors, member)) actors.push_back(IdOf(*actor));
  }
  const Actor* root = At(observation.actors, finding.root);
  if (root != nullptr && actors.size() < EndedFinding::kMaxNamed) actors.push_back(IdOf(*root));
  return actors;
}

std::vector<ResourceId> ResourcesOf(const Finding& finding, const Observation& observation) {
  std::vector<ResourceId> resources;
  for (const ResourceIndex index : finding.resources) {
    if (resources.size() == EndedFinding::kMaxNamed) break;
    if (const Resource* resource = At(observation.resources, index)) {
      resources.push_back(resource->id);
    }
  }
  return resources;
}

EndedFinding Summarize(const Finding& finding, const Observation& observation) {
  return {finding.id,
          finding.kind,
          finding.since,
          finding.first_seen,
          finding.last_seen,
          ActorsOf(finding, observation),
          ResourcesOf(finding, observation)};
}

// Where a loop stood, and why, as a number.
std::uint64_t PlaceOf(const LoopBlock& block, const Observation& observation) {
  std::size_t hash = HashCombine(0, static_cast<std::uint64_t>(block.cause));
  const Stack* stack = At(observation.stacks, block.stack);
  const Frame* frame = stack != nullptr ? OwnPythonFrame(*stack) : nullptr;
  if (frame == nullptr) return hash;
  hash = HashCombine(hash, std::hash<std::string>()(frame->function));
  return HashCombine(hash, std::hash<std::string>()(frame->file));
}

std::vector<WaitIndex> WaitsByActor(const Observation& observation) {
  std::vector<WaitIndex> wait_of(observation.actors.size(), kNoIndex);
  for (std::size_t i = observation.waits.size(); i-- > 0;) {
    const ActorIndex actor = observation.waits[i].actor;
    if (At(observation.actors, actor) == nullptr) continue;
    wait_of[static_cast<std::size_t>(actor)] = static_cast<WaitIndex>(i);
  }
  return wait_of;
}

bool IsForgotten(FindingKind kind) {
  return kind == FindingKind::kSwallowedException || kind == FindingKind::kNeverAwaited;
}

// Rows that are found anew in every observation are told apart by what they say.
std::uint64_t HashOf(const NeverAwaited& row, const Observation& observation) {
  std::size_t hash = std::hash<std::string>()(row.referrer);
  const Stack* stack = At(observation.stacks, row.function);
  if (stack == nullptr || stack->frames.empty()) return hash;
  const Frame& frame = stack->frames.front();
  hash = HashCombine(hash, std::hash<std::string>()(frame.function));
  hash = HashCombine(hash, std::hash<std::string>()(frame.file));
  return HashCombine(hash, frame.line);
}

std::size_t HashOf(const Place& place) {
  return HashCombine(std::hash<std::string>()(place.function),
                     std::hash<std::string>()(place.location));
}

std::size_t HashOf(const ResourceId& id) {
  std::size_t hash = HashCombine(id.space, id.address);
  hash = HashCombine(hash, id.device);
  hash = HashCombine(hash, id.inode);
  return HashCombine(hash, id.offset);
}

std::uint64_t HashOf(std::vector<std::size_t> parts) {
  std::sort(parts.begin(), parts.end());
  std::size_t hash = parts.size();
  for (const std::size_t part : parts) hash = HashCombine(hash, part);
  return hash;
}

std::uint64_t HashOfLocks(const Finding& finding, const Observation& observation) {
  std::vector<std::size_t> locks;
  for (const ResourceIndex index : finding.resources) {
    if (const Resource* resource = At(observation.resources, index)) {
      locks.push_back(HashOf(resource->id));
    }
  }
  return HashOf(std::move(locks));
}

// Where each of its steps takes both locks; 0 if that is not known of all.
std::uint64_t HashOfPlaces(const Finding& finding, const Observation& observation) {
  OwnFrames frames(observation);
  std::vector<std::size_t> steps;
  for (const OrderStep& step : finding.orders) {
    const LockOrder* order = At(observation.hold_activity.orders, step.order);
    const LockOrderSighting* sighting =
        order != nullptr ? At(order->sightings, step.sighting) : nullptr;
    if (sighting == nullptr) return 0;
    const Place held = frames.Innermost(sighting->held_at);
    const Place wanted = frames.Innermost(sighting->wanted_at);
    if (held.function.empty() || wanted.function.empty()) return 0;
    steps.push_back(HashCombine(HashOf(held), HashOf(wanted)));
  }
  return steps.empty() ? 0 : HashOf(std::move(steps));
}

// What all holds of a LONG_HOLD have in common.
std::uint64_t HashOf(const LongHold& hold, const Observation& observation) {
  const Resource* resource = At(observation.resources, hold.resource);
  if (resource == nullptr) return 0;
  const std::size_t type = std::hash<std::string>()(resource->type);
  if (!resource->symbol.empty()) {
    return HashCombine(type, std::hash<std::string>()(resource->symbol));
  }
  const Place place = OwnFrames(observation).Innermost(hold.acquired_at);
  return HashCombine(type, place.function.empty() ? HashOf(resource->id) : HashOf(place));
}

// How many it is about: threads, tasks, holds or iterations.
std::size_t ConcernedBy(const Finding& finding, const Observation& observation) {
  std::size_t count = finding.members.size() + finding.blocked_behind.size() +
                      finding.exceptions.size() + finding.long_holds.size() + finding.orders.size();
  for (const NeverAwaitedIndex index : finding.never_awaited) {
    if (const NeverAwaited* row = At(observation.never_awaited, index)) count += row->count;
  }
  for (const LoopBlockIndex index : finding.loop_blocks) {
    if (const LoopBlock* block = At(observation.loops.blocks, index)) count += block->count;
  }
  return count;
}

bool AnyRelevantLoss(const Observation& observation) {
  return std::any_of(observation.losses.begin(), observation.losses.end(),
                     [](const Loss& loss) { return loss.relevant && loss.count > 0; });
}

}  // namespace

std::size_t FindingTracker::AnchorHash::operator()(const Anchor& anchor) const {
  std::size_t hash = static_cast<std::size_t>(anchor.kind);
  hash = HashCombine(hash, static_cast<std::uint64_t>(anchor.actor.thread.tid));
  hash = HashCombine(hash, static_cast<std::uint64_t>(anchor.actor.thread.start_time));
  hash = HashCombine(hash, anchor.actor.task);
  hash = HashCombine(hash, anchor.resource.space);
  hash = HashCombine(hash, anchor.resource.address);
  hash = HashCombine(hash, anchor.resource.inode);
  return HashCombine(hash, anchor.resource.offset);
}

FindingTracker::FindingTracker(std::size_t max_tracked) : max_tracked_(max_tracked) {}

std::vector<FindingTracker::Anchor> FindingTracker::AnchorsOf(
    const Finding& finding, const Observation& observation, const std::vector<WaitIndex>& wait_of) {
  const FindingKind family = Family(finding.kind);
  std::vector<Anchor> anchors;
  if (family == FindingKind::kDeadlock) {
    for (const ActorIndex member : finding.members) {
      const Actor* actor = At(observation.actors, member);
      const WaitIndex* index = At(wait_of, member);
      const Wait* wait = index != nullptr ? At(observation.waits, *index) : nullptr;
      const Resource* resource =
          wait != nullptr ? At(observation.resources, wait->resource) : nullptr;
      if (actor != nullptr && resource != nullptr) {
        anchors.push_back({family, IdOf(*actor), resource->id});
      }
    }
  } else if (IsForgotten(family)) {
    for (const SwallowedIndex index : finding.exceptions) {
      const SwallowedException* row = At(observation.swallowed_exceptions, index);
      if (row == nullptr) continue;
      ActorId actor = IdOfProcess(observation, row->process);
      actor.task = row->future;
      anchors.push_back({family, actor, {}});
    }
    for (const NeverAwaitedIndex index : finding.never_awaited) {
      const NeverAwaited* row = At(observation.never_awaited, index);
      if (row == nullptr) continue;
      ResourceId what;
      what.address = HashOf(*row, observation);
      anchors.push_back({family, IdOfProcess(observation, row->process), what});
    }
  } else if (family == FindingKind::kLockOrderInversion) {
    const LockOrder* order = FirstOrder(finding, observation);
    const ActorId process = IdOfProcess(observation, order != nullptr ? order->process : kNoIndex);
    for (const std::uint64_t hash :
         {HashOfLocks(finding, observation), HashOfPlaces(finding, observation)}) {
      ResourceId what;
      what.address = hash;
      if (hash != 0) anchors.push_back({family, process, what});
    }
  } else if (family == FindingKind::kLongHold) {
    const LongHold* hold = finding.long_holds.empty() ? nullptr
                                                      : At(observation.hold_activity.long_holds,
                                                           finding.long_holds.front());
    if (hold != nullptr) {
      ResourceId what;
      what.address = HashOf(*hold, observation);
      anchors.push_back({family, IdOfProcess(observation, hold->process), what});
    }
  } else if (family == FindingKind::kEventLoopBlocked) {
    for (const LoopBlockIndex index : finding.loop_blocks) {
      const LoopBlock* block = At(observation.loops.blocks, index);
      const Actor* actor = block != nullptr ? At(observation.actors, block->thread) : nullptr;
      if (actor == nullptr) continue;
      ResourceId place;
      place.address = PlaceOf(*block, observation);
      anchors.push_back({family, IdOf(*actor), place});
    }
  } else {
    ActorId root;
    const Actor* actor = At(observation.actors, finding.root);
    if (family == FindingKind::kLongWait && actor != nullptr) root = IdOf(*actor);
    for (const ResourceIndex index : finding.resources) {
      const Resource* resource = At(observation.resources, index);
      if (resource != nullptr) anchors.push_back({family, root, resource->id});
    }
  }
  // The same ones of a larger set in every observation, whatever its order.
  std::sort(anchors.begin(), anchors.end());
  if (anchors.size() > EndedFinding::kMaxNamed) anchors.resize(EndedFinding::kMaxNamed);
  return anchors;
}

FindingChanges FindingTracker::Update(std::vector<Finding>& findings,
                                      const Observation& observation) {
  ++update_;
  const std::vector<WaitIndex> wait_of = WaitsByActor(observation);
  std::vector<std::vector<Anchor>> anchors(findings.size());
  std::size_t present = 0;
  for (std::size_t i = 0; i < findings.size(); ++i) {
    anchors[i] = AnchorsOf(findings[i], observation, wait_of);
    findings[i].id = Match(anchors[i]);
    if (findings[i].id == 0) continue;
    tracked_.at(findings[i].id).last_update = update_;
    ++present;
  }
  FindingChanges changes;
  for (std::size_t i = 0; i < findings.size(); ++i) {
    if (findings[i].id != 0) {
      const bool news = See(findings[i], std::move(anchors[i]), observation);
      (news ? changes.changed : changes.continuing).push_back(i);
    } else if (present < max_tracked_) {
      ++present;
      findings[i].id = ++last_id_;
      See(findings[i], std::move(anchors[i]), observation);
      changes.appeared.push_back(i);
    }
  }
  EndMissing(observation, changes.ended);
  EndExcess(changes.ended);
  std::sort(changes.ended.begin(), changes.ended.end(),
            [](const EndedFinding& a, const EndedFinding& b) { return a.id < b.id; });
  return changes;
}

bool FindingTracker::See(Finding& finding, std::vector<Anchor> anchors,
                         const Observation& observation) {
  const auto [which, is_new] = tracked_.try_emplace(finding.id);
  Tracked& tracked = which->second;
  finding.first_seen = is_new ? observation.end : tracked.summary.first_seen;
  finding.last_seen = observation.end;
  tracked.summary = Summarize(finding, observation);
  tracked.last_update = update_;
  tracked.misses = 0;
  SetAnchors(finding.id, tracked, std::move(anchors));
  const bool is_ring = Family(finding.kind) == FindingKind::kDeadlock;
  const Told now = {finding.kind, finding.ending, finding.evidence,
                    is_ring ? finding.members.size() : 0, ConcernedBy(finding, observation)};
  const bool news = is_new || IsNews(tracked.told, now);
  if (news) tracked.told = now;
  return news;
}

// Whoever comes meanwhile waits, too, of a service many in a second: only their doubling is news.
bool FindingTracker::IsNews(const Told& told, const Told& now) {
  return told.kind != now.kind || told.ending != now.ending || told.evidence != now.evidence ||
         told.in_ring != now.in_ring || now.concerned >= 2 * told.concerned;
}

std::uint64_t FindingTracker::Match(const std::vector<Anchor>& anchors) const {
  for (const Anchor& anchor : anchors) {
    const auto found = by_anchor_.find(anchor);
    if (found == by_anchor_.end()) continue;
    if (tracked_.at(found->second).last_update != update_) return found->second;
  }
  return 0;
}

void FindingTracker::SetAnchors(std::uint64_t id, Tracked& tracked, std::vector<Anchor> anchors) {
  RemoveAnchors(id, tracked);
  tracked.anchors = std::move(anchors);
  for (const Anchor& anchor : tracked.anchors) by_anchor_[anchor] = id;
}

void FindingTracker::RemoveAnchors(std::uint64_t id, const Tracked& tracked) {
  for (const Anchor& anchor : tracked.anchors) {
    const auto found = by_anchor_.find(anchor);
    if (found != by_anchor_.end() && found->second == id) by_anchor_.erase(found);
  }
}

EndedFinding FindingTracker::Forget(std::map<std::uint64_t, Tracked>::iterator which) {
  RemoveAnchors(which->first, which->second);
  EndedFinding summary = std::move(which->second.summary);
  tracked_.erase(which);
  return summary;
}

void FindingTracker::EndMissing(const Observation& observation, std::vector<EndedFinding>& ended) {
  const bool everybody_seen = !AnyRelevantLoss(observation);
  std::set<ActorId> seen;
  if (!everybody_seen) {
    for (const Actor& actor : observation.actors) seen.insert(IdOf(actor));
  }
  for (auto next = tracked_.begin(); next != tracked_.end();) {
    const auto which = next++;
    Tracked& tracked = which->second;
    if (tracked.last_update == update_) continue;
    if (IsForgotten(tracked.summary.kind) && !observation.searched_for_forgotten) continue;
    if (tracked.summary.kind == FindingKind::kLockOrderInversion) {
      MissInversion(which, observation);
      continue;
    }
    ++tracked.misses;
    const auto& actors = tracked.summary.actors;
    const bool all_seen =
        everybody_seen || std::all_of(actors.begin(), actors.end(),
                                      [&](const ActorId& actor) { return seen.contains(actor); });
    if (all_seen || tracked.misses >= kMaxMisses) ended.push_back(Forget(which));
  }
}

// It could happen for as long as its process lives, seen again or not; and it has not happened, so
// that nothing ends with it.
void FindingTracker::MissInversion(std::map<std::uint64_t, Tracked>::iterator which,
                                   const Observation& observation) {
  Tracked& tracked = which->second;
  const auto& actors = tracked.summary.actors;
  const bool lives = std::any_of(
      observation.processes.begin(), observation.processes.end(), [&](const Process& process) {
        return !actors.empty() && actors.front() == ActorId{process.id, 0};
      });
  tracked.misses = lives ? 0 : tracked.misses + 1;
  if (tracked.misses >= kMaxMisses) Forget(which);
}

void FindingTracker::EndExcess(std::vector<EndedFinding>& ended) {
  if (tracked_.size() <= max_tracked_) return;
  const std::size_t excess = tracked_.size() - max_tracked_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> missing;  // last update, id
  for (const auto& [id, tracked] : tracked_) {
    if (tracked.last_update != update_) missing.emplace_back(tracked.last_update, id);
  }
  std::sort(missing.begin(), missing.end());
  missing.resize(std::min(excess, missing.size()));
  for (const auto& [last_update, id] : missing) {
    EndedFinding summary = Forget(tracked_.find(id));
    if (summary.kind != FindingKind::kLockOrderInversion) ended.push_back(std::move(summary));
  }
}

}  // namespace ct
