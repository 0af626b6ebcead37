// POOL_LEAK and POOL_EXHAUSTED: somebody waits for a unit of a pool, and either nobody has those in
// use, or those who have them do not give them back for long.
#include <algorithm>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "detect/context.h"
#include "graph/chain.h"

namespace ct {

namespace {

constexpr std::size_t kMaxHolders = 16;

class PoolDetector {
 public:
  PoolDetector(DetectContext& context, ResourceIndex pool)
      : context_(context),
        graph_(context.graph),
        index_(pool),
        pool_(context.graph.resource(pool)) {}

  std::optional<Finding> FindLeak() const {
    if (pool_.lost_units.empty() || pool_.changed_hands) return std::nullopt;
    Finding finding = Begin(FindingKind::kPoolLeak, 0);
    if (finding.members.empty()) return std::nullopt;
    finding.evidence = Evidence::kProbable;
    finding.proof.push_back(
        fmt::format("{}: {} of {} units in use, {} of them by no task or thread that was read",
                    context_.describe.Resource(index_), pool_.in_use.value_or(0), Capacity(),
                    pool_.lost_units.size()));
    finding.proof.emplace_back("not certain: what only native code refers to is not seen");
    finding.advice = "Give it back in a finally or by a with block";
    return finding;
  }

  std::optional<Finding> FindExhaustion(const RootFinder& roots) const {
    if (!IsExhausted()) return std::nullopt;
    Finding finding = Begin(FindingKind::kPoolExhausted, context_.options.long_wait);
    if (finding.members.empty()) return std::nullopt;
    finding.evidence = graph_.IsAccounted(index_) ? Evidence::kCertain : Evidence::kProbable;
    finding.proof.push_back(fmt::format("{}: {} of {} units in use",
                                        context_.describe.Resource(index_),
                                        pool_.in_use.value_or(0), Capacity()));
    if (!pool_.capacity && pool_.high_water) {
      finding.proof.push_back(
          fmt::format("capacity not known: most in use at a time was {}", *pool_.high_water));
    }
    std::set<ActorIndex> told;
    std::set<Root> ends;
    for (const HoldIndex hold : graph_.HoldersOf(index_)) {
      const ActorIndex actor = graph_.hold(hold).actor;
      if (!told.insert(actor).second) continue;
      ends.insert(roots.RootOf(actor));
      if (told.size() > kMaxHolders) continue;
      finding.proof.push_back(context_.describe.Actor(actor) + " has one and " +
                              context_.describe.Doing(actor));
    }
    if (told.size() > kMaxHolders) {
      finding.proof.push_back(fmt::format("and so on for {} more", told.size() - kMaxHolders));
    }
    // Where all holders wait, in the end, for the same.
    if (ends.size() == 1 && !told.contains(ends.begin()->actor)) finding.root = ends.begin()->actor;
    return finding;
  }

 private:
  // Where nobody knows how many there may be, somebody waits though none is left, or though no more
  // were ever seen in use.
  bool IsExhausted() const {
    const std::uint32_t in_use = pool_.in_use.value_or(0);
    if (pool_.capacity) return in_use >= *pool_.capacity;
    if (in_use == 0) return false;
    return pool_.idle ? pool_.idle == 0U : pool_.high_water && in_use >= *pool_.high_water;
  }
  std::string Capacity() const {
    return pool_.capacity ? std::to_string(*pool_.capacity) : "an unknown number of";
  }

  // Of those who have waited at least that long, and are not told already.
  Finding Begin(FindingKind kind, DurationNs least) const {
    Finding finding;
    finding.kind = kind;
    finding.ending = Ending::kMayEnd;
    for (const WaitIndex index : graph_.WaitersOf(index_)) {
      const Wait& wait = graph_.wait(index);
      if (context_.IsExplained(wait.actor) || wait.evidence == Evidence::kUnknown) continue;
      // Of a semaphore: who waits for a signal.
      const bool for_event = wait.purpose != WaitPurpose::kAcquire;
      if (for_event && pool_.kind == ResourceKind::kSemaphore) continue;
      if (HasLeftWait(graph_.actor(wait.actor), wait)) continue;
      // While a loop runs, what it is about to hand out is nobody's for a moment.
      const bool leak = kind == FindingKind::kPoolLeak;
      if (wait.continuity < (leak ? Continuity::kStill : Continuity::kContinued)) continue;
      if (context_.observation().end - wait.since < least) continue;
      finding.members.push_back(wait.actor);
    }
    if (finding.members.empty()) return finding;
    std::sort(finding.members.begin(), finding.members.end());
    finding.resources = {index_};
    finding.since = context_.OldestWait(finding.members);
    return finding;
  }

  DetectContext& context_;
  const WaitGraph& graph_;
  const ResourceIndex index_;
  const Resource& pool_;
};

// A semaphore is one where acquires were followed and somebody has it: a signal is nobody's.
bool IsPool(const WaitGraph& graph, ResourceIndex index) {
  const Resource& resource = graph.resource(index);
  if (resource.kind == ResourceKind::kPool) return true;
  return resource.kind == ResourceKind::kSemaphore && resource.in_use &&
         !graph.HoldersOf(index).empty();
}

template <class Find>
std::vector<Finding> OfEachPool(DetectContext& context, Find find) {
  std::vector<Finding> found;
  for (std::size_t i = 0; i < context.graph.resource_count(); ++i) {
    const auto index = static_cast<ResourceIndex>(i);
    if (!IsPool(context.graph, index)) continue;
    std::optional<Finding> finding = find(PoolDetector(context, index));
    if (!finding) continue;
    finding->blocked_behind = context.spread.Behind(finding->members, nullptr, context.explained());
    context.Explain(*finding);
    found.push_back(std::move(*finding));
  }
  return found;
}

}  // namespace

std::vector<Finding> DetectPoolLeaks(DetectContext& context) {
  return OfEachPool(context, [](const PoolDetector& pool) { return pool.FindLeak(); });
}

std::vector<Finding> DetectExhaustedPools(DetectContext& context) {
  const RootFinder roots(context.graph, context.explained());
  return OfEachPool(context, [&](const PoolDetector& pool) { return pool.FindExhaustion(roots); });
}

}  // namespace ct
