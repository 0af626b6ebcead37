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

constexpr int kMaxDepth = 64;
constexpr int kMaxSteps = 1024;  // of one task's search
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
    const Resource& awaited = graph_.resource(wait.resource);
    if (awaited.abandoned == Abandoned::kUnreferenced && awaited.kind != ResourceKind::kMutex) {
      // What one look shows of a loop that runs need not have been so at one moment.
      if (wait.continuity == Continuity::kStill) Add(actor, actor, How::kUnreferenced, wait.since);
      return;
    }
    if (graph_.actor(actor).request.empty()) return;
    int steps = kMaxSteps;
    std::optional<Standing> longest;
    FindLongest(actor, actor, kMaxDepth, steps, longest);
    if (longest && context_.observation().end - longest->since >= context_.options.stuck_task) {
      Add(actor, longest->last, longest->how, longest->since);
    }
  }

  // Because of whom, who waits for nobody else, a task does not go on; since when at least.
  struct Standing {
    ActorIndex last;
    How how;
    TimeNs since;
  };

  // Along all for whom `task` has to wait before `actor` goes on: of those who end the chains, the
  // one who has stood for longest. Not where it ends by itself or is somebody's work.
  void FindLongest(ActorIndex actor, ActorIndex task, int depth, int& steps,
                   std::optional<Standing>& longest) const {
    const WaitIndex index = graph_.WaitOf(task);
    if (depth == 0 || --steps < 0 || index == kNoIndex ||
        graph_.actor(task).kind != ActorKind::kTask) {
      return;
    }
    const Wait& wait = graph_.wait(index);
    if (wait.timed || wait.evidence == Evidence::kUnknown || context_.IsExplained(task) ||
        wait.continuity < Continuity::kContinued || IsIdle(task)) {
      return;
    }
    const Resource& resource = graph_.resource(wait.resource);
    const auto holders = graph_.HoldersOf(wait.resource);
    if (holders.empty()) {
      const bool ends =
          wait.purpose == WaitPurpose::kAcquire || resource.kind == ResourceKind::kEventLoop;
      if (ends) return;
      const Standing standing = StandingOf(actor, task);
      if (!longest || standing.since < longest->since) longest = standing;
      return;
    }
    // Where any of several will do, another one may be at work.
    if (resource.rule == ReleaseRule::kAnyHolder && holders.size() > 1) return;
    for (const HoldIndex holder : holders) {
      FindLongest(actor, graph_.hold(holder).actor, depth - 1, steps, longest);
    }
  }

  Standing StandingOf(ActorIndex actor, ActorIndex last) const {
    const Wait& own = graph_.wait(graph_.WaitOf(actor));
    const Wait& root = graph_.wait(graph_.WaitOf(last));
    const TimeNs end = context_.observation().end;
    // An age of an untimed wait that is known by itself: its loop has not run meanwhile.
    const TimeNs slept = std::max(own.since, root.since);
    if (end - slept >= context_.options.stuck_task) return {last, How::kSlept, slept};
    const TimeNs unmoved =
        std::max(own.unmoved_since.value_or(end), root.unmoved_since.value_or(end));
    return {last, How::kUnmoved, unmoved};
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
