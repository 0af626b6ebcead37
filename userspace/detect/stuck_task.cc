// STUCK_TASK: a task that does not go on, though it waits for no lock: for a future that nobody can
// complete, or in the middle of a request for long.
#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include <fmt/format.h>

#include "detect/context.h"

namespace ct {

namespace {

constexpr int kMaxSteps = 64;
constexpr std::size_t kMaxFrames = 512;

// Whose client waits for more of an answer that has begun, or has not sent all of the question:
// Starlette's and sse-starlette's streams, uvicorn's receive() (both its protocols).
constexpr auto kIdleFunctions = std::to_array<std::string_view>(
    {"StreamingResponse.", "EventSourceResponse.", "FileResponse.", "RequestResponseCycle.receive",
     "Request.stream", "WebSocket"});

class StuckTasks {
 public:
  explicit StuckTasks(DetectContext& context) : context_(context), graph_(context.graph) {}

  std::vector<Finding> Find() {
    for (std::size_t i = 0; i < graph_.actor_count(); ++i) {
      const auto actor = static_cast<ActorIndex>(i);
      if (graph_.actor(actor).kind == ActorKind::kTask && !context_.IsExplained(actor)) Look(actor);
    }
    std::vector<Finding> found;
    for (auto& [place, finding] : by_place_) {
      std::sort(finding.members.begin(), finding.members.end());
      finding.resources = context_.ResourcesOf(finding.members);
      finding.proof.push_back(Proof(place.how, finding));
      finding.blocked_behind =
          context_.spread.Behind(finding.members, nullptr, context_.explained());
      std::erase(finding.blocked_behind, finding.root);
      context_.Explain(finding);
      found.push_back(std::move(finding));
    }
    return found;
  }

 private:
  enum class How : std::uint8_t { kUnreferenced, kSlept, kUnmoved };
  // Those that stand at one place for one reason are one finding.
  struct Place {
    How how;
    StackIndex stack;
    StackIndex root_stack;
    std::string request;
    auto operator<=>(const Place&) const = default;
  };

  void Look(ActorIndex actor) {
    const WaitIndex index = graph_.WaitOf(actor);
    if (index == kNoIndex) return;
    const Wait& wait = graph_.wait(index);
    if (graph_.resource(wait.resource).abandoned == Abandoned::kUnreferenced) {
      // What one look shows of a loop that runs need not have been so at one moment.
      if (wait.continuity == Continuity::kStill) Add(actor, actor, How::kUnreferenced, wait.since);
      return;
    }
    if (graph_.actor(actor).request.empty()) return;
    const ActorIndex last = LastOf(actor);
    if (last == kNoIndex) return;
    const TimeNs until = context_.observation().end;
    // An age of an untimed wait that is known by itself: its loop has not run meanwhile.
    const TimeNs slept = std::max(wait.since, graph_.wait(graph_.WaitOf(last)).since);
    if (until - slept >= context_.options.stuck_task) return Add(actor, last, How::kSlept, slept);
    const auto unmoved = UnmovedSince(actor, last);
    if (unmoved && until - *unmoved >= context_.options.stuck_task) {
      Add(actor, last, How::kUnmoved, *unmoved);
    }
  }

  // Who, in the end, waits for nobody else; kNoIndex if that ends by itself or is somebody's work.
  ActorIndex LastOf(ActorIndex actor) const {
    for (int step = 0; step < kMaxSteps; ++step) {
      const WaitIndex index = graph_.WaitOf(actor);
      if (index == kNoIndex || graph_.actor(actor).kind != ActorKind::kTask) return kNoIndex;
      const Wait& wait = graph_.wait(index);
      if (wait.timed || wait.evidence == Evidence::kUnknown || context_.IsExplained(actor) ||
          wait.continuity < Continuity::kContinued || IsIdle(actor)) {
        return kNoIndex;
      }
      const auto holders = graph_.HoldersOf(wait.resource);
      if (holders.empty()) {
        const bool ends = wait.purpose == WaitPurpose::kAcquire ||
                          graph_.resource(wait.resource).kind == ResourceKind::kEventLoop;
        return ends ? kNoIndex : actor;
      }
      // Where any of several will do, another one may be at work.
      const bool any = graph_.resource(wait.resource).rule == ReleaseRule::kAnyHolder;
      if (any && holders.size() > 1) return kNoIndex;
      actor = graph_.hold(holders.front()).actor;
    }
    return kNoIndex;
  }

  bool IsIdle(ActorIndex actor) const {
    const StackIndex stack = graph_.actor(actor).user_stack;
    const auto& stacks = context_.observation().stacks;
    if (stack < 0 || static_cast<std::size_t>(stack) >= stacks.size()) return true;
    const auto& frames = stacks[static_cast<std::size_t>(stack)].frames;
    return std::any_of(
        frames.begin(),
        frames.begin() + static_cast<std::ptrdiff_t>(std::min(frames.size(), kMaxFrames)),
        [](const Frame& frame) {
          return std::any_of(kIdleFunctions.begin(), kIdleFunctions.end(),
                             [&](std::string_view function) {
                               return frame.function.find(function) != std::string::npos;
                             });
        });
  }

  std::optional<TimeNs> UnmovedSince(ActorIndex actor, ActorIndex last) const {
    const auto& own = graph_.wait(graph_.WaitOf(actor)).unmoved_since;
    const auto& root = graph_.wait(graph_.WaitOf(last)).unmoved_since;
    if (!own || !root) return std::nullopt;
    return std::max(*own, *root);
  }

  void Add(ActorIndex actor, ActorIndex last, How how, TimeNs since) {
    const Actor& who = graph_.actor(actor);
    const StackIndex root_stack = last == actor ? kNoIndex : graph_.actor(last).user_stack;
    Finding& finding = by_place_[{how, who.user_stack, root_stack, who.request}];
    if (finding.members.empty()) {
      finding.kind = FindingKind::kStuckTask;
      finding.evidence = how == How::kUnmoved ? Evidence::kProbable : Evidence::kCertain;
      finding.ending = how == How::kUnreferenced ? Ending::kNever : Ending::kMayEnd;
      finding.since = since;
      if (last != actor) finding.root = last;
      finding.advice = how == How::kUnreferenced
                           ? "Keep the future where whoever completes it will find it"
                           : "Give what it waits for a timeout";
    }
    finding.since = std::min(finding.since, since);
    finding.members.push_back(actor);
  }

  std::string Proof(How how, const Finding& finding) const {
    const std::string who = context_.describe.Actor(finding.members.front());
    switch (how) {
      case How::kUnreferenced:
        return fmt::format(
            "nobody but {} refers to the future that it awaits: only to cancel it ends this", who);
      case How::kSlept:
        return fmt::format("{} has not run since: nor has its event loop", who);
      case How::kUnmoved:
        return fmt::format(
            "{} was seen in the same wait by every look since; not certain: the event loop ran "
            "between them",
            who);
    }
    return "";
  }

  DetectContext& context_;
  const WaitGraph& graph_;
  std::map<Place, Finding> by_place_;
};

}  // namespace

std::vector<Finding> DetectStuckTasks(DetectContext& context) { return StuckTasks(context).Find(); }

}  // namespace ct
