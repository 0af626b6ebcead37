#include "render/tasks_text.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "render/finding_text.h"
#include "render/table.h"
#include "render/task_tree.h"
#include "render/task_words.h"
#include "render/text.h"
#include "render/words.h"

namespace ct {
namespace {

constexpr std::size_t kMaxGroups = 60;  // with `full` more
constexpr std::size_t kMaxFullGroups = 10'000;
constexpr std::size_t kMaxChanged = 12;  // groups of each kind of change
constexpr std::size_t kMaxEnded = 6;     // names
constexpr std::size_t kMaxName = 64;     // bytes

// Tasks that do the same at the same place and hold the like.
struct Group {
  std::vector<ActorIndex> tasks;
  std::string doing;
  Place place;
  std::vector<TaskWords::Held> holds;
  std::string created;
  bool is_lock = false;  // it waits for one
};

std::vector<Group> GroupsOf(TextContext& context, TaskWords& words,
                            const std::vector<ActorIndex>& tasks) {
  using Key = std::tuple<StackIndex, std::string, std::vector<TaskWords::Held>, std::string>;
  std::map<Key, std::size_t> known;
  std::vector<Group> groups;
  for (const ActorIndex task : tasks) {
    Group group;
    group.doing = words.Doing(task);
    group.holds = words.Holds(task);
    group.created = words.Created(task);
    const StackIndex stack = context.graph.actor(task).user_stack;
    const auto [entry, is_new] =
        known.try_emplace(Key(stack, group.doing, group.holds, group.created), groups.size());
    if (is_new) {
      group.place = context.frames.Innermost(stack);
      const Wait* wait = context.WaitOf(task);
      group.is_lock = wait != nullptr && wait->purpose == WaitPurpose::kAcquire;
      groups.push_back(std::move(group));
    }
    groups[entry->second].tasks.push_back(task);
  }
  // Who waits for a lock or holds one is what the question is about.
  const auto order = [](const Group& group) {
    return std::tuple(!group.is_lock, group.holds.empty(), -static_cast<long>(group.tasks.size()));
  };
  std::stable_sort(groups.begin(), groups.end(),
                   [&](const Group& a, const Group& b) { return order(a) < order(b); });
  return groups;
}

// `what` stands in front of each row, where it is not empty.
std::string TaskTable(TextContext& context, TaskWords& words, const std::vector<ActorIndex>& tasks,
                      std::size_t max_groups, const std::string& what = "") {
  const std::vector<Group> groups = GroupsOf(context, words, tasks);
  const std::size_t limit = context.options.full ? kMaxFullGroups : max_groups;
  Table table(2);
  const auto add = [&](std::string first, std::vector<std::string> row) {
    if (!what.empty()) row.insert(row.begin(), std::move(first));
    table.Add(std::move(row));
  };
  for (std::size_t i = 0; i < std::min(groups.size(), limit); ++i) {
    const Group& group = groups[i];
    add(what, {TaskNames(context, group.tasks), group.doing, group.place.function,
               group.place.location, TaskAsides(words, group.tasks)});
    for (const auto& held : group.holds) {
      add("", {"", held.what, held.place.function, held.place.location});
    }
    if (!group.created.empty()) add("", {"", group.created});
  }
  std::string text = table.Print();
  if (groups.size() > limit) {
    std::size_t rest = 0;
    for (std::size_t i = limit; i < groups.size(); ++i) rest += groups[i].tasks.size();
    text += fmt::format("  and {} at {}, shown with --full\n", Plural(rest, "more task"),
                        Plural(groups.size() - limit, "more place"));
  }
  return text;
}

bool Matches(const TextContext& context, ActorIndex task, const TasksOptions& options,
             std::map<StackIndex, bool>& stacks) {
  if (!options.match) return true;
  const ct::Actor& actor = context.graph.actor(task);
  if (options.match(actor.name) || options.match(actor.request)) return true;
  const auto& all = context.observation.stacks;
  if (actor.user_stack < 0 || static_cast<std::size_t>(actor.user_stack) >= all.size()) {
    return false;
  }
  const auto [entry, is_new] = stacks.try_emplace(actor.user_stack, false);
  if (!is_new) return entry->second;
  for (const Frame& frame : all[static_cast<std::size_t>(actor.user_stack)].frames) {
    entry->second = entry->second ||
                    options.match(fmt::format("{} {}:{}", frame.function, frame.file, frame.line));
  }
  return entry->second;
}

std::string Headline(const TextContext& context, std::size_t all, std::size_t shown) {
  std::size_t locks = 0;
  std::size_t moving = 0;
  std::map<pid_t, std::size_t> loops;
  for (std::size_t i = 0; i < context.observation.actors.size(); ++i) {
    const ct::Actor& actor = context.observation.actors[i];
    if (actor.kind != ActorKind::kTask) continue;
    const Wait* wait = context.WaitOf(static_cast<ActorIndex>(i));
    if (wait != nullptr && wait->purpose == WaitPurpose::kAcquire) ++locks;
    if (!actor.still) ++moving;
    ++loops[actor.ns_tid];
  }
  std::string text = fmt::format("TASKS  {}", Plural(all, "task"));
  if (!context.observation.processes.empty()) {
    text += " of " + DescribeProcess(context.observation.processes.front());
  }
  if (loops.size() > 1) text += fmt::format(", {}", Plural(loops.size(), "event loop"));
  if (locks > 0)
    text += fmt::format("; {} for a lock", locks == 1 ? "1 waits" : fmt::format("{} wait", locks));
  if (moving > 0) text += fmt::format("; {} moving: not the same in both looks", moving);
  if (shown != all) text += fmt::format("; {} shown", shown);
  return text + '\n';
}

}  // namespace

std::string RenderTasks(const Observation& observation, std::span<const Finding> findings,
                        const TasksOptions& tasks, const RenderOptions& options) {
  TextContext context(observation, options);
  TaskWords words(context);
  std::vector<ActorIndex> shown;
  std::size_t all = 0;
  std::map<StackIndex, bool> stacks;
  for (std::size_t i = 0; i < observation.actors.size(); ++i) {
    const auto task = static_cast<ActorIndex>(i);
    if (observation.actors[i].kind != ActorKind::kTask) continue;
    ++all;
    if (Matches(context, task, tasks, stacks)) shown.push_back(task);
  }
  std::string text;
  for (const Finding& finding : findings) text += FindingText(context, finding) + '\n';
  text += Headline(context, all, shown.size());
  const std::string rows = tasks.tree ? TaskTree(context, words, shown, tasks.match != nullptr)
                                      : TaskTable(context, words, shown, kMaxGroups);
  if (!rows.empty()) text += '\n' + rows;
  const std::string legend = words.Legend();
  if (!legend.empty()) text += '\n' + legend;
  return text + TailText(context);
}

std::string RenderTaskChanges(const Observation& observation, const TaskChanges& changes,
                              const std::string& when, const TasksOptions& tasks,
                              const RenderOptions& options) {
  TextContext context(observation, options);
  TaskWords words(context);
  std::map<StackIndex, bool> stacks;
  const auto matching = [&](const std::vector<ActorIndex>& from, bool locks_only) {
    std::vector<ActorIndex> to;
    for (const ActorIndex task : from) {
      const Wait* wait = context.WaitOf(task);
      const bool is_lock = wait != nullptr && wait->purpose == WaitPurpose::kAcquire;
      if ((is_lock || !locks_only) && Matches(context, task, tasks, stacks)) to.push_back(task);
    }
    return to;
  };
  const std::size_t all = changes.appeared.size() + changes.moved.size() + changes.same.size();
  std::string text = fmt::format("{}  {}: {} new, {} ended, {} moved on, {} as before\n", when,
                                 Plural(all, "task"), changes.appeared.size(), changes.ended.size(),
                                 changes.moved.size(), changes.same.size());
  text += TaskTable(context, words, matching(changes.appeared, false), kMaxChanged, "new  ");
  text += TaskTable(context, words, matching(changes.moved, false), kMaxChanged, "moved");
  std::map<std::string, std::size_t> ended;
  for (const std::string& name : changes.ended) {
    if (!tasks.match || tasks.match(name)) ++ended[CleanText(name, kMaxName)];
  }
  std::string names;
  std::size_t told = 0;
  for (const auto& [name, count] : ended) {
    if (told++ == kMaxEnded) {
      names += fmt::format(" and {} more", ended.size() - kMaxEnded);
      break;
    }
    names +=
        (names.empty() ? "" : ", ") + (count == 1 ? name : fmt::format("{} x {}", count, name));
  }
  if (!names.empty()) text += "  ended  " + names + '\n';
  text += TaskTable(context, words, matching(changes.same, true), kMaxChanged, "still");
  const std::string legend = words.Legend();
  if (!legend.empty()) text += legend;
  return text + TailText(context);
}

}  // namespace ct
