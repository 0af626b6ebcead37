#include "render/words.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "model/names.h"

namespace ct {
namespace {

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxRequests = 1000;  // that are told apart
constexpr std::size_t kMaxNamed = 3;        // of those, in a line

// The timed wait that gives up first.
const Wait* WaitThatEnds(const TextContext& context, const Finding& finding) {
  for (const ActorIndex member : finding.members) {
    const Wait* wait = context.WaitOf(member);
    if (wait != nullptr && wait->deadline && wait->deadline == finding.ends_at) return wait;
  }
  return nullptr;
}

std::string InTime(const TextContext& context, TimeNs at) {
  DurationNs left = 0;
  if (__builtin_sub_overflow(at, context.observation.end, &left) || left <= 0) return "now";
  return "in " + FormatDuration(left);
}

}  // namespace

std::string Plural(std::uint64_t count, std::string_view noun) {
  if (count == 1) return fmt::format("1 {}", noun);
  const bool hiss = noun.ends_with('x') || noun.ends_with('s');
  return fmt::format("{} {}{}", count, noun, hiss ? "es" : "s");
}

std::string CountActors(const TextContext& context, const std::vector<ActorIndex>& actors) {
  std::size_t tasks = 0;
  for (const ActorIndex actor : actors) {
    if (context.HasActor(actor) && context.graph.actor(actor).kind == ActorKind::kTask) ++tasks;
  }
  if (tasks == 0) return Plural(actors.size(), "thread");
  if (tasks == actors.size()) return Plural(tasks, "task");
  return fmt::format("{} threads and tasks", actors.size());
}

std::string NameActors(const TextContext& context, const std::vector<ActorIndex>& actors) {
  if (actors.size() == 1) return context.Who(actors.front());
  std::map<std::string, std::size_t> requests;
  std::vector<ActorIndex> others;
  for (const ActorIndex actor : actors) {
    const bool known = context.HasActor(actor) && !context.graph.actor(actor).request.empty();
    if (known && requests.size() < kMaxRequests) {
      ++requests[CleanText(context.graph.actor(actor).request, kMaxName)];
    } else {
      others.push_back(actor);
    }
  }
  std::vector<std::pair<std::size_t, std::string>> counts;
  for (const auto& [request, count] : requests) counts.emplace_back(count, request);
  std::stable_sort(counts.begin(), counts.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string text;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (i == kMaxNamed) {
      text += fmt::format(" and {}", Plural(counts.size() - i, "other endpoint"));
      break;
    }
    text += fmt::format("{}{} x {}", i == 0 ? "" : ", ", counts[i].first, counts[i].second);
  }
  if (!others.empty()) text += (text.empty() ? "" : ", ") + CountActors(context, others);
  return text;
}

std::string CountResources(const TextContext& context,
                           const std::vector<ResourceIndex>& resources) {
  std::map<ResourceKind, std::uint64_t> kinds;
  for (const ResourceIndex resource : std::set(resources.begin(), resources.end())) {
    if (context.HasResource(resource)) ++kinds[context.graph.resource(resource).kind];
  }
  std::string text;
  for (const auto& [kind, count] : kinds) {
    text += (text.empty() ? "" : ", ") + Plural(count, ToString(kind));
  }
  return text;
}

std::string EndingInShort(const TextContext& context, const Finding& finding) {
  if (finding.ended) return "has ended";
  switch (finding.ending) {
    case Ending::kNever:
      return "no timeout";
    case Ending::kUnlessSignalled:
      return "no timeout, a signal may end it";
    case Ending::kTimeout:
      return finding.ends_at ? "ends " + InTime(context, *finding.ends_at) : "has a timeout";
    case Ending::kMayEnd:
      return "may end";
  }
  return "may end";
}

std::string EndingSentence(const TextContext& context, const Finding& finding) {
  const bool advised = !finding.advice.empty() || finding.kind == FindingKind::kLongWait;
  switch (finding.ending) {
    case Ending::kNever:
      return advised ? "Will not end by itself." : "Will not end by itself; restart needed.";
    case Ending::kUnlessSignalled:
      return "Will not end by itself, unless a signal handler or a timer of the process ends it.";
    case Ending::kTimeout: {
      if (!finding.ends_at) return "Ends by itself when a timed wait gives up.";
      const Wait* wait = WaitThatEnds(context, finding);
      return fmt::format(
          "Ends by itself {}{}.", InTime(context, *finding.ends_at),
          wait == nullptr ? "" : " (timed wait of " + context.Who(wait->actor) + ")");
    }
    case Ending::kMayEnd:
      break;
  }
  return {};
}

std::string DescribeProcess(const Process& process) {
  const std::string& name = process.unit.empty() ? process.name : process.unit;
  std::string text = fmt::format("{}, pid {}", CleanText(name, kMaxName), process.id.tid);
  if (process.ns_pid != 0 && process.ns_pid != process.id.tid) {
    text += fmt::format(" ({} in its container)", process.ns_pid);
  }
  if (!process.language.empty()) text += ", " + CleanText(process.language, kMaxName);
  if (process.cpu_percent >= 0.05) text += fmt::format(", CPU {:.1f} %", process.cpu_percent);
  return text;
}

std::string ShortProcess(const Process& process) {
  return fmt::format("{} ({})", CleanText(process.name, kMaxName), process.id.tid);
}

std::string CreatedText(const TextContext& context, StackIndex created_at) {
  constexpr std::size_t kFrames = 3;
  constexpr std::size_t kFullFrames = 64;
  std::string text;
  const std::size_t limit = context.options.full ? kFullFrames : kFrames;
  for (const Place& place : context.frames.Makers(created_at, limit)) {
    text += fmt::format("{}{}  {}", text.empty() ? "created in " : " < ", place.function,
                        place.location);
  }
  return text;
}

std::string DoubtOf(Evidence evidence) { return Describe::Doubt(evidence, ""); }

}  // namespace ct
