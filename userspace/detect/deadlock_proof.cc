#include "detect/deadlock_proof.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ct {

namespace {

// Longer rings exist on paper; nobody checks more steps than this by hand.
constexpr std::size_t kMaxSteps = 16;
constexpr std::size_t kMaxNames = 5;

class ProofWriter {
 public:
  ProofWriter(const DetectContext& context, const Finding& finding)
      : graph_(context.graph), describe_(context.describe), finding_(finding) {}

  std::vector<std::string> Write() {
    if (finding_.kind == FindingKind::kDeadlock && IsThroughPool()) {
      WriteAccounts();
      WriteHowSeen();
    } else if (finding_.kind == FindingKind::kDeadlock && !IsAnyEnough()) {
      WriteFromStillActor();
    } else {
      WriteEdges();
    }
    WriteOtherMembers();
    for (const ActorIndex actor : finding_.members) WriteHeldBack(actor);
    WriteTimeout();
    WriteDoubtsBehind();
    return std::move(lines_);
  }

 private:
  const Wait& WaitAt(std::size_t step) const { return graph_.wait(finding_.ring[step].wait); }
  std::string ActorAt(std::size_t step) const { return describe_.Actor(WaitAt(step).actor); }
  std::string ResourceAt(std::size_t step) const {
    return describe_.Resource(WaitAt(step).resource);
  }
  std::size_t Before(std::size_t step) const {
    return (step + finding_.ring.size() - 1) % finding_.ring.size();
  }

  // Somebody waits for what more than one might do: that one has not done it proves nothing of who
  // waits, that all slept does.
  bool IsAnyEnough() const {
    return std::any_of(finding_.resources.begin(), finding_.resources.end(),
                       [this](ResourceIndex resource) { return graph_.IsCounted(resource); });
  }

  // What it means that the holder of what `step` waits for has not gone on.
  std::string NotReleased(std::size_t step) const {
    const bool by_task = IsTask(graph_.hold(finding_.ring[step].held_by_next).actor);
    switch (graph_.resource(WaitAt(step).resource).kind) {
      case ResourceKind::kThreadExit:
        return "has not ended";
      case ResourceKind::kFuture:
        return by_task ? "has not ended" : "has not completed " + ResourceAt(step);
      case ResourceKind::kEventLoop:
        return "has not run its event loop";
      default:
        return "has not released " + ResourceAt(step);
    }
  }

  bool IsTask(ActorIndex actor) const { return graph_.actor(actor).kind == ActorKind::kTask; }

  // It has done nothing between the looks, so it has released nothing.
  static bool DidNotRun(const Wait& wait) { return wait.continuity >= Continuity::kDidNotRun; }

  // Where the argument starts: the first of the ring, or of the other members, that did not run.
  std::size_t StartStep() {
    for (std::size_t step = 0; step < finding_.ring.size(); ++step) {
      if (DidNotRun(WaitAt(step))) return step;
    }
    for (const ActorIndex actor : finding_.members) {
      const Wait& wait = graph_.wait(graph_.WaitOf(actor));
      if (!DidNotRun(wait)) continue;
      lines_.push_back(fmt::format("{} {}, and all of them wait for each other without a way out",
                                   describe_.Actor(actor), HowSeen(wait)));
      break;
    }
    return 0;
  }

  // Backwards around the ring: who slept kept its lock, so who waits for that has not left.
  void WriteFromStillActor() {
    const std::size_t size = finding_.ring.size();
    const std::size_t start = StartStep();
    lines_.push_back(fmt::format("{} {}: it {}", ActorAt(start), HowSeen(WaitAt(start)),
                                 NotReleased(Before(start))));
    if (size == 1) {
      lines_.push_back("it waits for this itself");
      return;
    }
    std::size_t step = Before(start);
    for (std::size_t written = 1; written < size; ++written, step = Before(step)) {
      if (written == kMaxSteps) {
        lines_.push_back(fmt::format("and so on for {} more", size - written));
        break;
      }
      lines_.push_back(fmt::format("so {}, which waits for {}, has not left its wait: it {}",
                                   ActorAt(step), ResourceAt(step), NotReleased(Before(step))));
    }
    lines_.push_back(
        fmt::format("{} waits for {}: none of them can go on", ActorAt(start), ResourceAt(start)));
  }

  std::string HowSeen(const Wait& wait) const {
    switch (wait.continuity) {
      case Continuity::kStill:
        if (IsTask(wait.actor)) {
          return "waited for the same in both looks, its event loop asleep during each";
        }
        return "slept through both looks (switch counts equal)";
      case Continuity::kDidNotRun:
        return "was woken and has not run yet (switch counts equal at both looks)";
      default:
        return "waited for the same at both looks";
    }
  }

  void WriteEdges() {
    for (std::size_t step = 0; step < std::min(finding_.ring.size(), kMaxSteps); ++step) {
      const Wait& wait = WaitAt(step);
      const Hold& hold = graph_.hold(finding_.ring[step].held_by_next);
      lines_.push_back(fmt::format("{} waits for {}{}, held by {}{}{}", ActorAt(step),
                                   ResourceAt(step), Describe::Doubt(wait.evidence, ""),
                                   describe_.Actor(hold.actor), AndOthers(wait.resource),
                                   Describe::Doubt(hold.evidence, "")));
    }
    if (finding_.ring.size() > kMaxSteps) {
      lines_.push_back(fmt::format("and so on for {} more", finding_.ring.size() - kMaxSteps));
    }
    WriteHowSeen();
    if (finding_.evidence != Evidence::kCertain) WriteWhyNotCertain();
  }

  void WriteHowSeen() {
    const std::size_t size = finding_.members.size();
    const bool tasks = std::all_of(finding_.members.begin(), finding_.members.end(),
                                   [this](ActorIndex actor) { return IsTask(actor); });
    const std::string how = tasks
                                ? "waited for the same in both looks, the event loop asleep in each"
                                : "slept through both looks (switch counts equal)";
    lines_.push_back(size == 1 ? "it " + how : fmt::format("all {} {}", size, how));
  }

  // Every unit of a pool is accounted for: no one holder proves anything of a waiter, all of them
  // do.
  bool IsThroughPool() const {
    return std::any_of(finding_.resources.begin(), finding_.resources.end(),
                       [this](ResourceIndex resource) {
                         return graph_.IsCounted(resource) && graph_.IsAccounted(resource);
                       });
  }

  // Of each pool in it: every unit is in use, and by whom is known.
  void WriteAccounts() {
    for (const ResourceIndex resource : finding_.resources) {
      if (!graph_.IsAccounted(resource)) continue;
      std::map<std::string, std::size_t> how;
      for (const HoldIndex hold : graph_.HoldersOf(resource))
        ++how[graph_.hold(hold).evidence_note];
      std::string ways;
      for (const auto& [note, count] : how) {
        if (note.empty()) continue;
        ways += fmt::format("{}{} {}", ways.empty() ? " (" : ", ", count, note);
      }
      lines_.push_back(fmt::format(
          "{}: {} of {} units in use, none by anybody who can go on{}{}",
          describe_.Resource(resource), graph_.resource(resource).in_use.value_or(0),
          graph_.resource(resource).capacity.value_or(0), ways, ways.empty() ? "" : ")"));
    }
  }

  std::string AndOthers(ResourceIndex resource) const {
    const std::size_t holds = graph_.HoldersOf(resource).size();
    return holds > 1 ? fmt::format(" and {} more holds that are stuck, too", holds - 1) : "";
  }

  void WriteWhyNotCertain() {
    for (const ResourceIndex resource : finding_.resources) {
      if (!graph_.IsCounted(resource) || graph_.IsAccounted(resource)) continue;
      lines_.push_back(
          fmt::format("not certain: {} has several units, and who holds none might "
                      "give one back",
                      describe_.Resource(resource)));
      const Resource& pool = graph_.resource(resource);
      if (!pool.capacity && pool.high_water) {
        lines_.push_back(
            fmt::format("capacity not known: most in use at a time was {}", *pool.high_water));
      }
      return;
    }
    std::set<std::string> reasons;
    for (std::size_t step = 0; step < finding_.ring.size(); ++step) {
      const Wait& wait = WaitAt(step);
      const Hold& hold = graph_.hold(finding_.ring[step].held_by_next);
      if (wait.evidence != Evidence::kCertain) reasons.insert(wait.evidence_note);
      if (hold.evidence != Evidence::kCertain) reasons.insert(hold.evidence_note);
    }
    for (const ResourceIndex resource : finding_.resources) {
      for (const HoldIndex index : graph_.HoldersOf(resource)) {
        const Hold& hold = graph_.hold(index);
        if (hold.evidence != Evidence::kCertain) reasons.insert(hold.evidence_note);
      }
    }
    reasons.erase("");
    lines_.push_back("not certain: " + (reasons.empty()
                                            ? "a part of it is inferred"
                                            : fmt::format("{}", fmt::join(reasons, "; "))));
  }

  void WriteOtherMembers() {
    const std::size_t ring = finding_.ring.size();
    const std::size_t others = finding_.members.size() - ring;
    const bool told = finding_.kind == FindingKind::kDeadlock && IsThroughPool();
    if (others == 0 || told) return;
    std::string names;
    for (std::size_t i = 0; i < std::min(others, kMaxNames); ++i) {
      names += (i == 0 ? "" : ", ") + describe_.Actor(finding_.members[ring + i]);
    }
    if (others > kMaxNames) names += fmt::format(" and {} more", others - kMaxNames);
    lines_.push_back(fmt::format("{} wait{} for these and they for {}: {}", others,
                                 others == 1 ? "s" : "", others == 1 ? "it" : "them", names));
  }

  void WriteHeldBack(ActorIndex actor) {
    if (!IsHeldBack(graph_.actor(actor).state)) return;
    lines_.push_back(fmt::format("{} {}; to let it go on would not end this",
                                 describe_.Actor(actor), describe_.Doing(actor)));
  }

  void WriteTimeout() {
    if (finding_.ending != Ending::kTimeout) return;
    for (const ActorIndex actor : finding_.members) {
      const Wait& wait = graph_.wait(graph_.WaitOf(actor));
      if (!wait.timed && !wait.deadline) continue;
      if (finding_.ends_at && wait.deadline != finding_.ends_at) continue;
      lines_.push_back(fmt::format("{} gives up when its timeout is over", describe_.Actor(actor)));
      return;
    }
  }

  void WriteDoubtsBehind() {
    if (finding_.evidence != Evidence::kCertain) return;
    const auto doubtful = std::count_if(
        finding_.blocked_behind.begin(), finding_.blocked_behind.end(), [this](ActorIndex actor) {
          return graph_.wait(graph_.WaitOf(actor)).evidence != Evidence::kCertain;
        });
    if (doubtful == 0) return;
    lines_.push_back(fmt::format("{} of the {} behind: what they wait for is probable only",
                                 doubtful, finding_.blocked_behind.size()));
  }

  const WaitGraph& graph_;
  const Describe& describe_;
  const Finding& finding_;
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> DeadlockProof(const DetectContext& context, const Finding& finding) {
  return ProofWriter(context, finding).Write();
}

}  // namespace ct
