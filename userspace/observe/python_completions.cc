#include "observe/python_completions.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace ct {
namespace {

class Completions {
 public:
  explicit Completions(PythonGraph& graph) : graph_(graph) {
    std::unordered_map<std::uint64_t, const PythonCompletion*> before;
    for (const PythonCompletion& each : graph.look().first.completions) {
      before.emplace(each.future, &each);
    }
    for (const PythonCompletion& each : graph.look().second.completions) {
      const auto same = before.find(each.future);
      if (same != before.end() && *same->second == each) known_.emplace(each.future, &each);
    }
  }

  void Add() {
    for (const PythonThread& thread : graph_.look().second.threads) {
      Wait* wait = graph_.WaitOf(graph_.ThreadOf(thread.native_id));
      if (wait == nullptr) continue;
      if (thread.waits_for.kind == PythonAwaitKind::kConcurrentAll) {
        wait->resource = Narrowed(thread.waits_for, wait->resource);
      } else if (thread.waits_for.kind == PythonAwaitKind::kConcurrentAny) {
        AddAny(thread.waits_for, wait->resource);
      }
    }
    for (const auto& [future, completion] : known_) {
      const auto resource = graph_.FindResource(FutureResource(future));
      if (resource) graph_.resource(*resource).holders_known = AddHolders(*completion, *resource);
    }
  }

 private:
  // To wait for all is to wait for each: the one whose completers are all blocked says most.
  ResourceIndex Narrowed(const PythonAwait& wait, ResourceIndex otherwise) {
    for (const std::uint64_t child : wait.children) {
      const auto found = known_.find(child);
      if (found == known_.end()) continue;
      const auto actors = ActorsOf(*found->second);
      const bool blocked =
          actors && std::all_of(actors->begin(), actors->end(), [this](ActorIndex actor) {
            return graph_.WaitOf(actor) != nullptr;
          });
      if (blocked) return graph_.ResourceAt(FutureResource(child));
    }
    return otherwise;
  }

  // Any completer of any of them is enough, if all are known.
  void AddAny(const PythonAwait& wait, ResourceIndex resource) {
    if (graph_.IsHeld(resource)) return;
    bool known = !wait.children.empty();
    for (const std::uint64_t child : wait.children) {
      const auto found = known_.find(child);
      known = known && found != known_.end() && AddHolders(*found->second, resource);
    }
    graph_.resource(resource).holders_known = known;
  }

  // nullopt if one of them is no actor: it is not blocked.
  std::optional<std::vector<ActorIndex>> ActorsOf(const PythonCompletion& completion) const {
    std::vector<ActorIndex> actors;
    for (const pid_t thread : completion.threads) actors.push_back(graph_.ThreadOf(thread));
    for (const std::uint64_t task : completion.tasks) actors.push_back(graph_.TaskAt(task));
    if (std::find(actors.begin(), actors.end(), kNoIndex) != actors.end()) return std::nullopt;
    return actors;
  }

  bool AddHolders(const PythonCompletion& completion, ResourceIndex resource) {
    const auto actors = ActorsOf(completion);
    if (!actors) return false;
    const std::string note = completion.queued          ? "the call is queued, and it may take it"
                             : completion.tasks.empty() ? "the call runs in it"
                                                        : "the future is of this task";
    for (const ActorIndex actor : *actors) {
      if (!added_[resource].insert(actor).second) continue;
      graph_.AddHold(actor, resource, Evidence::kCertain, note);
    }
    return true;
  }

  PythonGraph& graph_;
  std::unordered_map<std::uint64_t, const PythonCompletion*> known_;  // by future
  std::unordered_map<ResourceIndex, std::unordered_set<ActorIndex>> added_;
};

}  // namespace

void AddCompletions(PythonGraph& graph) { Completions(graph).Add(); }

}  // namespace ct
