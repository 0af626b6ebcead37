#include "render/full_text.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "model/names.h"
#include "render/finding_text.h"
#include "render/table.h"
#include "render/words.h"

namespace ct {
namespace {

constexpr std::size_t kMaxFunction = 512;  // bytes
constexpr std::size_t kMaxFrames = 256;    // of one stack
constexpr std::size_t kMaxNames = 8;       // who share a stack
constexpr std::size_t kMaxRows = 10'000;   // stacks or waits: a file must not become a flood

// What is needed to symbolize the frame elsewhere.
std::string Origin(const TextContext& context, const Frame& frame) {
  const auto& modules = context.observation.modules;
  if (frame.module < 0 || static_cast<std::size_t>(frame.module) >= modules.size()) {
    return fmt::format("{:#x}", frame.address);
  }
  const Module& module = modules[static_cast<std::size_t>(frame.module)];
  std::string text =
      fmt::format("{}+{:#x}", CleanText(module.path, kMaxFunction), frame.module_offset);
  if (!module.build_id.empty()) text += " build-id " + CleanText(module.build_id, 64);
  if (module.deleted) text += " (deleted)";
  return text;
}

std::string SourceOf(const TextContext& context, const Frame& frame) {
  if (frame.origin == FrameOrigin::kKernel) return {};
  if (frame.file.empty()) return Origin(context, frame);
  return fmt::format("{}:{}", CleanText(frame.file, kMaxFunction), frame.line);
}

std::string FrameLine(const TextContext& context, std::size_t number, const Frame& frame) {
  const bool named = !frame.function.empty();
  std::string line = fmt::format("#{:<3}", number);
  if (named) line += CleanText(frame.function, kMaxFunction) + "  ";
  line += named ? SourceOf(context, frame) : Origin(context, frame);
  if (frame.inlined) line += " (inlined)";
  if (frame.guessed) line += " (guessed)";
  if (frame.of_pool) line += " (the pool)";
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::vector<std::string> Frames(const TextContext& context, const Stack& stack) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < std::min(stack.frames.size(), kMaxFrames); ++i) {
    lines.push_back(FrameLine(context, i, stack.frames[i]));
  }
  if (stack.frames.size() > kMaxFrames) {
    lines.push_back(fmt::format("and {} more", stack.frames.size() - kMaxFrames));
  }
  return lines;
}

std::string End(const Stack& stack) {
  return stack.end == StackEnd::kComplete ? "" : fmt::format(" (ends: {})", ToString(stack.end));
}

std::string StackText(const TextContext& context, std::string_view title, const Stack& stack) {
  std::string text = fmt::format("   {}{}\n", title, End(stack));
  for (const std::string& line : Frames(context, stack)) text += fmt::format("    {}\n", line);
  return text;
}

std::set<ActorIndex> WhoMatters(const TextContext& context, std::span<const Finding> findings) {
  std::set<ActorIndex> actors;
  const auto add = [&](const std::vector<ActorIndex>& more) {
    for (const ActorIndex actor : more) {
      if (context.HasActor(actor)) actors.insert(actor);
    }
  };
  for (const Finding& finding : findings) {
    add(finding.members);
    add(Principals(context, finding));
  }
  if (context.options.all) {
    for (std::size_t i = 0; i < context.observation.actors.size(); ++i) {
      actors.insert(static_cast<ActorIndex>(i));
    }
  }
  return actors;
}

std::string Names(const TextContext& context, const std::vector<ActorIndex>& actors) {
  std::string text;
  for (std::size_t i = 0; i < std::min(actors.size(), kMaxNames); ++i) {
    text += (i == 0 ? "" : ", ") + context.Who(actors[i]);
  }
  if (actors.size() > kMaxNames) text += fmt::format(" and {} more", actors.size() - kMaxNames);
  return text;
}

}  // namespace

const Stack* StackAt(const TextContext& context, StackIndex index) {
  const auto& stacks = context.observation.stacks;
  const bool inside = index >= 0 && static_cast<std::size_t>(index) < stacks.size();
  return inside ? &stacks[static_cast<std::size_t>(index)] : nullptr;
}

std::vector<std::string> FrameLines(const TextContext& context, const Stack& stack) {
  std::vector<std::string> lines = Frames(context, stack);
  if (stack.end != StackEnd::kComplete)
    lines.push_back("ends: " + std::string(ToString(stack.end)));
  return lines;
}

std::string StacksText(const TextContext& context, std::span<const Finding> findings) {
  // By the stacks themselves, in the order of who comes first.
  using Key = std::array<StackIndex, 3>;
  std::map<std::array<Stack, 3>, std::size_t> known;
  std::vector<std::vector<ActorIndex>> groups;
  std::map<Key, std::size_t> group_of;
  for (const ActorIndex index : WhoMatters(context, findings)) {
    const ct::Actor& actor = context.graph.actor(index);
    const Key key = {actor.user_stack, actor.kernel_stack, actor.created_at};
    auto found = group_of.find(key);
    if (found == group_of.end()) {
      std::array<Stack, 3> stacks;
      bool any = false;
      for (std::size_t i = 0; i < key.size(); ++i) {
        const Stack* stack = StackAt(context, key[i]);
        if (stack == nullptr) continue;
        stacks[i] = *stack;
        any = true;
      }
      if (!any) continue;
      if (groups.size() == kMaxRows) break;
      const auto [entry, added] = known.try_emplace(std::move(stacks), groups.size());
      if (added) groups.emplace_back();
      found = group_of.emplace(key, entry->second).first;
    }
    groups[found->second].push_back(index);
  }
  std::string text;
  for (const auto& actors : groups) {
    const ct::Actor& actor = context.graph.actor(actors.front());
    text += fmt::format("  {}: {}\n", Names(context, actors), context.Doing(actors.front()));
    if (const Stack* kernel = StackAt(context, actor.kernel_stack)) {
      text += StackText(context, "kernel", *kernel);
    }
    if (const Stack* user = StackAt(context, actor.user_stack)) {
      text += StackText(context, "user", *user);
    }
    if (const Stack* created = StackAt(context, actor.created_at)) {
      text += StackText(context, "created by", *created);
    }
  }
  return text.empty() ? text : "STACKS\n" + text;
}

std::string WaitsText(TextContext& context) {
  // Process, purpose, what for, where: equal waits of a process are one row.
  using Key = std::tuple<ProcessIndex, WaitPurpose, std::string, Place>;
  std::map<Key, std::vector<const Wait*>> groups;
  for (const Wait& wait : context.observation.waits) {
    const bool idle = wait.purpose == WaitPurpose::kEvent;
    if (!context.HasActor(wait.actor) || !context.HasResource(wait.resource)) continue;
    if (idle && !context.options.all) continue;
    const ct::Actor& actor = context.graph.actor(wait.actor);
    // A pool's workers park each on a condition of its own: the kind tells more than the address.
    const Resource& resource = context.graph.resource(wait.resource);
    const std::string what = idle && resource.symbol.empty() ? std::string(ToString(resource.kind))
                                                             : context.What(wait.resource);
    groups[{actor.process, wait.purpose, what, context.frames.Innermost(actor.user_stack)}]
        .push_back(&wait);
    if (groups.size() >= kMaxRows) break;
  }
  Table table(2);
  for (const auto& [key, waits] : groups) {
    const auto& [process_index, purpose, what, place] = key;
    const Wait& oldest =
        **std::min_element(waits.begin(), waits.end(),
                           [](const Wait* a, const Wait* b) { return a->since < b->since; });
    std::vector<ActorIndex> actors;
    for (const Wait* wait : waits) actors.push_back(wait->actor);
    const Process* process = context.ProcessOf(oldest.actor);
    const std::string who =
        actors.size() == 1 ? context.Who(actors.front()) : CountActors(context, actors);
    table.Add({process == nullptr ? "?" : ShortProcess(*process), who, what,
               context.Age(oldest.since), place.function,
               place.location + DoubtOf(oldest.evidence)});
  }
  return table.empty() ? "" : "WAITS\n" + table.Print();
}

}  // namespace ct
