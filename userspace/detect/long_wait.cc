// LONG_WAIT: waits for locks that last, grouped by the one who makes them last.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "detect/context.h"
#include "graph/chain.h"

namespace ct {

namespace {

constexpr std::size_t kMaxSteps = 16;

bool IsLong(const DetectContext& context, const Wait& wait) {
  return wait.purpose == WaitPurpose::kAcquire && wait.evidence != Evidence::kUnknown &&
         context.observation().end - wait.since >= context.options.long_wait &&
         !HasLeftWait(context.graph.actor(wait.actor), wait) && !context.IsExplained(wait.actor);
}

class LongWaitWriter {
 public:
  LongWaitWriter(DetectContext& context, const RootFinder& roots)
      : context_(context), graph_(context.graph), roots_(roots) {}

  Finding Write(std::vector<ActorIndex> members, const Root& root) const {
    Finding finding;
    finding.kind = FindingKind::kLongWait;
    finding.ending = Ending::kMayEnd;
    finding.since = context_.OldestWait(members);
    Chain chain = roots_.ChainFrom(Oldest(members));
    finding.evidence = chain.evidence;
    finding.chain = std::move(chain.steps);
    finding.root = root.actor;
    finding.members = std::move(members);
    finding.resources = context_.ResourcesOf(finding.members);
    finding.proof = Proof(finding);
    finding.advice = Advice(root);
    return finding;
  }

  // Who waits behind the members, or for the same locks but not long yet. All members of all long
  // waits are explained by then.
  std::vector<ActorIndex> Behind(const Finding& finding) const {
    std::vector<ActorIndex> core = finding.members;
    for (const ResourceIndex resource : finding.resources) {
      for (const WaitIndex index : graph_.WaitersOf(resource)) {
        const Wait& wait = graph_.wait(index);
        if (wait.purpose != WaitPurpose::kAcquire || wait.evidence == Evidence::kUnknown) continue;
        if (wait.actor == finding.root || context_.IsExplained(wait.actor)) continue;
        if (HasLeftWait(graph_.actor(wait.actor), wait)) continue;
        core.push_back(wait.actor);
      }
    }
    std::vector<ActorIndex> behind = context_.spread.Behind(core, nullptr, context_.explained());
    behind.insert(behind.end(), core.begin() + static_cast<std::ptrdiff_t>(finding.members.size()),
                  core.end());
    std::erase(behind, finding.root);
    std::sort(behind.begin(), behind.end());
    return behind;
  }

 private:
  ActorIndex Oldest(const std::vector<ActorIndex>& members) const {
    return *std::min_element(members.begin(), members.end(), [this](ActorIndex a, ActorIndex b) {
      return graph_.wait(graph_.WaitOf(a)).since < graph_.wait(graph_.WaitOf(b)).since;
    });
  }

  std::vector<std::string> Proof(const Finding& finding) const {
    const Describe& describe = context_.describe;
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < std::min(finding.chain.size(), kMaxSteps); ++i) {
      const RingStep& step = finding.chain[i];
      const Wait& wait = graph_.wait(step.wait);
      lines.push_back(fmt::format(
          "{} waits for {}{}, {}", describe.Actor(wait.actor), describe.Resource(wait.resource),
          Describe::Doubt(wait.evidence, wait.evidence_note), HeldBy(step.held_by_next)));
    }
    if (finding.chain.size() > kMaxSteps) {
      lines.push_back(fmt::format("and so on for {} more", finding.chain.size() - kMaxSteps));
    }
    if (finding.root != kNoIndex) lines.push_back(RootLine(finding.root));
    return lines;
  }

  std::string HeldBy(HoldIndex index) const {
    if (index == kNoIndex) return "whose holder is unknown";
    const Hold& hold = graph_.hold(index);
    return "held by " + context_.describe.Actor(hold.actor) +
           Describe::Doubt(hold.evidence, hold.evidence_note);
  }

  std::string RootLine(ActorIndex root) const {
    const std::string name = context_.describe.Actor(root);
    if (context_.IsExplained(root)) return name + " is part of, or behind, a finding of its own";
    return name + " " + context_.describe.Doing(root);
  }

  std::string Advice(const Root& root) const {
    if (root.actor == kNoIndex) return "This lock keeps no owner: look for who else uses it";
    const Actor& actor = graph_.actor(root.actor);
    switch (actor.state) {
      case RunState::kStopped:
        return fmt::format("Continue it: kill -CONT {}", actor.id.tid);
      case RunState::kTraced:
        return "Let the debugger continue it";
      case RunState::kFrozen:
        return "Thaw its cgroup";
      case RunState::kThrottled:
        return "Raise the CPU quota of its cgroup";
      default:
        return "";
    }
  }

  DetectContext& context_;
  const WaitGraph& graph_;
  const RootFinder& roots_;
};

}  // namespace

std::vector<Finding> DetectLongWaits(DetectContext& context) {
  const RootFinder roots(context.graph, context.explained());
  std::map<Root, std::vector<ActorIndex>> by_root;
  for (std::size_t i = 0; i < context.graph.actor_count(); ++i) {
    const auto actor = static_cast<ActorIndex>(i);
    const WaitIndex wait = context.graph.WaitOf(actor);
    if (wait == kNoIndex || !IsLong(context, context.graph.wait(wait))) continue;
    by_root[roots.RootOf(actor)].push_back(actor);
  }
  const LongWaitWriter writer(context, roots);
  std::vector<Finding> found;
  found.reserve(by_root.size());
  for (auto& [root, members] : by_root) found.push_back(writer.Write(std::move(members), root));
  for (const Finding& finding : found) context.Explain(finding);
  for (Finding& finding : found) {
    finding.blocked_behind = writer.Behind(finding);
    context.Explain(finding);
  }
  return found;
}

}  // namespace ct
