#include "render/task_words.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "model/names.h"
#include "render/words.h"

namespace ct {
namespace {

constexpr std::size_t kMaxType = 96;    // bytes
constexpr std::size_t kMaxLegend = 32;  // lines
constexpr std::size_t kMaxNames = 3;
constexpr DurationNs kLeastAge = kSecond;  // worth telling

std::string TypeOf(const Resource& resource) {
  return CleanText(resource.type.empty() ? ToString(resource.kind) : resource.type, kMaxType);
}

}  // namespace

TaskWords::TaskWords(TextContext& context) : context_(context) {}

// A lock has a label where somebody waits for it: then it matters which one it is.
std::string TaskWords::Named(ResourceIndex index) {
  const Resource& resource = context_.graph.resource(index);
  const bool is_lock =
      resource.kind == ResourceKind::kMutex || resource.kind == ResourceKind::kSemaphore;
  if (!is_lock || context_.graph.WaitersOf(index).empty()) return TypeOf(resource);
  return TypeOf(resource) + " " + labels_.Of(index);
}

std::string TaskWords::Doing(ActorIndex task) {
  const Wait* wait = context_.WaitOf(task);
  if (wait == nullptr) {
    switch (context_.graph.actor(task).state) {
      case RunState::kRunning:
        return "runs";
      case RunState::kRunnable:
        return "ready to run";
      default:
        return "not known";
    }
  }
  const Resource& resource = context_.graph.resource(wait->resource);
  if (resource.kind == ResourceKind::kEventLoop) return TypeOf(resource);
  if (wait->purpose != WaitPurpose::kJoin) return "waits for " + Named(wait->resource);
  const auto holds = context_.graph.HoldersOf(wait->resource);
  const std::size_t tasks = holds.size();
  if (tasks > 0 &&
      context_.graph.actor(context_.graph.hold(holds.front()).actor).kind == ActorKind::kThread) {
    const std::string who = tasks == 1 ? context_.Who(context_.graph.hold(holds.front()).actor)
                                       : Plural(tasks, "thread");
    return fmt::format("waits for {} of {}", TypeOf(resource), who);
  }
  if (tasks == 0) return "waits for " + TypeOf(resource);
  if (resource.symbol.empty() || tasks != 1) {
    return fmt::format("waits for {} of {}", TypeOf(resource), Plural(tasks, "task"));
  }
  return "waits for a " + TypeOf(resource);
}

std::string TaskWords::Aside(ActorIndex task) const {
  const ct::Actor& actor = context_.graph.actor(task);
  if (!actor.still) return "moving";
  const Wait* wait = context_.WaitOf(task);
  if (wait == nullptr || !wait->timed) return "";
  if (!wait->deadline) return "has a timeout";
  DurationNs left = 0;
  if (__builtin_sub_overflow(*wait->deadline, context_.observation.end, &left) || left <= 0) {
    return "ends now";
  }
  return "ends in " + FormatDuration(left);
}

std::string TaskWords::Age(const std::vector<ActorIndex>& tasks) const {
  const TimeNs end = context_.observation.end;
  const auto ago = [end](TimeNs time) {
    DurationNs age = 0;
    return __builtin_sub_overflow(end, time, &age) || age < 0 ? 0 : age;
  };
  DurationNs at_least = 0;
  DurationNs at_most = 0;  // 0: not known
  for (const ActorIndex task : tasks) {
    const Wait* wait = context_.WaitOf(task);
    if (wait == nullptr) continue;
    const DurationNs least = ago(wait->since);
    const DurationNs most = wait->not_before ? ago(*wait->not_before) : 0;
    // What is seen for the first time has waited for the time of the look at least.
    if (least >= kLeastAge && least > at_least) {
      at_least = least;
      at_most = most;
    } else if (at_least == 0) {
      at_most = std::max(at_most, most);
    }
  }
  if (std::max(at_least, at_most) < kLeastAge) return "";
  const std::string oldest = tasks.size() > 1 ? "oldest " : "";
  if (at_least == 0) return oldest + "<= " + FormatDuration(at_most);
  const bool exact = at_most != 0 && at_most - at_least < kLeastAge;
  return oldest + (exact ? "for " : ">= ") + FormatDuration(at_least);
}

std::vector<TaskWords::Held> TaskWords::Holds(ActorIndex task) {
  std::vector<Held> holds;
  for (const HoldIndex index : context_.graph.HoldsOf(task)) {
    const Hold& hold = context_.graph.hold(index);
    if (context_.graph.resource(hold.resource).kind == ResourceKind::kFuture) continue;
    holds.push_back({"holds " + Named(hold.resource) + DoubtOf(hold.evidence),
                     context_.frames.Innermost(hold.acquired_at)});
  }
  return holds;
}

const std::string& TaskWords::Created(ActorIndex task) {
  const StackIndex stack = context_.graph.actor(task).created_at;
  const auto [entry, is_new] = created_.try_emplace(stack);
  if (is_new) entry->second = CreatedText(context_, stack);
  return entry->second;
}

std::vector<ActorIndex> TaskWords::Awaited(ActorIndex task) const {
  std::vector<ActorIndex> awaited;
  const Wait* wait = context_.WaitOf(task);
  if (wait == nullptr || wait->purpose != WaitPurpose::kJoin) return awaited;
  for (const HoldIndex index : context_.graph.HoldersOf(wait->resource)) {
    const ActorIndex actor = context_.graph.hold(index).actor;
    if (context_.graph.actor(actor).kind == ActorKind::kTask) awaited.push_back(actor);
  }
  return awaited;
}

std::string TaskWords::Legend() const {
  std::string text;
  const auto& labels = labels_.in_order();
  for (std::size_t i = 0; i < std::min(labels.size(), kMaxLegend); ++i) {
    const auto holds = context_.graph.HoldersOf(labels[i]);
    std::string holders;
    for (std::size_t h = 0; h < std::min(holds.size(), kMaxNames); ++h) {
      const Hold& hold = context_.graph.hold(holds[h]);
      holders += (h == 0 ? "" : ", ") + context_.Who(hold.actor) + DoubtOf(hold.evidence);
    }
    if (holds.size() > kMaxNames) holders += fmt::format(" and {} more", holds.size() - kMaxNames);
    text += fmt::format("  L{} {}, {}, {} for it\n", i + 1, context_.What(labels[i]),
                        holders.empty() ? "nobody known holds it" : "held by " + holders,
                        context_.graph.WaitersOf(labels[i]).size() == 1
                            ? "1 waits"
                            : fmt::format("{} wait", context_.graph.WaitersOf(labels[i]).size()));
  }
  if (labels.size() > kMaxLegend) {
    text += fmt::format("  and {}\n", Plural(labels.size() - kMaxLegend, "more lock"));
  }
  return text;
}

}  // namespace ct
