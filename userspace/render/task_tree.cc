#include "render/task_tree.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "render/words.h"

namespace ct {
namespace {

constexpr std::size_t kMaxName = 64;    // bytes
constexpr std::size_t kMaxNames = 3;    // of tasks in a row
constexpr std::size_t kMaxLines = 400;  // with `full` more
constexpr std::size_t kMaxFullLines = 100'000;
constexpr int kMaxDepth = 32;

struct Node {
  std::vector<ActorIndex> tasks;
  std::string text;  // what it does and holds, as far as those that look the same share it
  std::vector<Node> children;

  // Equal for nodes that are one with a count.
  [[nodiscard]] std::string Key() const {
    std::string key = text;
    for (const Node& child : children) {
      key += fmt::format("({} {})", child.tasks.size(), child.Key());
    }
    return key;
  }
};

class TreeWriter {
 public:
  TreeWriter(TextContext& context, TaskWords& words) : context_(context), words_(words) {}

  std::string Write(const std::vector<ActorIndex>& tasks, bool each) {
    std::set<ActorIndex> awaited;
    if (!each) {
      for (const ActorIndex task : tasks) {
        for (const ActorIndex child : words_.Awaited(task)) awaited.insert(child);
      }
    }
    std::vector<ActorIndex> roots;
    for (const ActorIndex task : tasks) {
      if (!awaited.contains(task)) roots.push_back(task);
    }
    std::vector<Node> nodes = NodesOf(roots, 0);
    // Those that await each other in a circle have no root.
    std::vector<ActorIndex> rest;
    for (const ActorIndex task : tasks) {
      if (!expanded_.contains(task)) rest.push_back(task);
    }
    for (const ActorIndex task : rest) {
      if (!expanded_.contains(task)) nodes.push_back(NodeOf(task, 0));
    }
    Print(nodes, 1);
    if (left_out_ > 0) {
      text_ += fmt::format("  and {}, shown with --full\n", Plural(left_out_, "more row"));
    }
    return std::move(text_);
  }

 private:
  std::vector<Node> NodesOf(const std::vector<ActorIndex>& tasks, int depth) {
    std::vector<Node> nodes;
    std::map<std::string, std::size_t> known;
    for (const ActorIndex task : tasks) {
      Node node = NodeOf(task, depth);
      const auto [entry, is_new] = known.try_emplace(node.Key(), nodes.size());
      if (is_new) {
        nodes.push_back(std::move(node));
      } else {
        nodes[entry->second].tasks.push_back(task);
      }
    }
    return nodes;
  }

  Node NodeOf(ActorIndex task, int depth) {
    Node node;
    node.tasks = {task};
    const StackIndex stack = context_.graph.actor(task).user_stack;
    const Place& place = context_.frames.Innermost(stack);
    node.text = fmt::format("{}  {}  {}", words_.Doing(task), place.function, place.location);
    for (const auto& held : words_.Holds(task)) {
      node.text += fmt::format("\n{}  {}  {}", held.what, held.place.function, held.place.location);
    }
    const std::string created = words_.Created(task);
    if (!created.empty()) node.text += '\n' + created;
    const std::vector<ActorIndex> children = words_.Awaited(task);
    if (!expanded_.insert(task).second) {
      if (!children.empty()) node.text += "\n(awaits the same as above)";
    } else if (depth >= kMaxDepth) {
      if (!children.empty()) node.text += "\n(and so on)";
    } else {
      node.children = NodesOf(children, depth + 1);
    }
    return node;
  }

  void Print(const std::vector<Node>& nodes, std::size_t indent) {
    const std::size_t limit = context_.options.full ? kMaxFullLines : kMaxLines;
    for (const Node& node : nodes) {
      if (lines_ >= limit) {
        ++left_out_;
        continue;
      }
      const std::string margin(2 * indent, ' ');
      const std::string aside = TaskAsides(words_, node.tasks);
      std::string text = node.text;
      const std::size_t first = std::min(text.find('\n'), text.size());
      if (!aside.empty()) text.insert(first, "  " + aside);
      for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; ++at) {
        text.insert(at + 1, margin + "    ");
        ++lines_;
      }
      text_ += fmt::format("{}{}  {}\n", margin, TaskNames(context_, node.tasks), text);
      ++lines_;
      Print(node.children, indent + 1);
    }
  }

  TextContext& context_;
  TaskWords& words_;
  std::set<ActorIndex> expanded_;
  std::string text_;
  std::size_t lines_ = 0;
  std::size_t left_out_ = 0;
};

}  // namespace

std::string TaskNames(const TextContext& context, const std::vector<ActorIndex>& tasks) {
  if (tasks.size() == 1) return context.Who(tasks.front());
  std::string names;
  std::set<std::string> told;
  const auto has_request = [&](ActorIndex task) {
    return !context.graph.actor(task).request.empty();
  };
  if (std::any_of(tasks.begin(), tasks.end(), has_request)) return NameActors(context, tasks);
  for (const ActorIndex task : tasks) {
    const std::string name = CleanText(context.graph.actor(task).name, kMaxName);
    if (!told.insert(name).second) continue;
    if (told.size() > kMaxNames) {
      names += ", ...";
      break;
    }
    names += (names.empty() ? "" : ", ") + name;
  }
  return fmt::format("{} tasks {}", tasks.size(), names);
}

std::string TaskAsides(const TaskWords& words, const std::vector<ActorIndex>& tasks) {
  std::map<std::string, std::size_t> counts;
  for (const ActorIndex task : tasks) {
    const std::string aside = words.Aside(task);
    if (!aside.empty()) ++counts[aside];
  }
  std::string text = words.Age(tasks);
  for (const auto& [aside, count] : counts) {
    if (text.size() > 2 * kMaxName) return text + ", ...";
    const bool all = count == tasks.size();
    text += (text.empty() ? "" : ", ") + (all ? aside : fmt::format("{} {}", count, aside));
  }
  return text;
}

std::string TaskTree(TextContext& context, TaskWords& words, const std::vector<ActorIndex>& tasks,
                     bool each) {
  return TreeWriter(context, words).Write(tasks, each);
}

}  // namespace ct
