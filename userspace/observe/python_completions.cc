#include "observe/python_completions.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace ct {
namespace {

class Completions {
 public:
  Completions(PythonGraph& graph, const PythonCallers& callers) : graph_(graph), callers_(callers) {
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
    for (const PythonTask& task : graph_.look().second.tasks) {
      AddCall(task);
      NameExecutor(task.waits_for);
    }
    for (const PythonThread& thread : graph_.look().second.threads) NameExecutor(thread.waits_for);
  }

 private:
  // Of a call that another process makes: where it is made.
  void NameExecutor(const PythonAwait& wait) {
    if (wait.kind != PythonAwaitKind::kConcurrent || wait.object == 0) return;
    const auto resource = graph_.FindResource(FutureResource(wait.children.front()));
    const auto& executors = graph_.look().second.pools;
    const auto executor =
        std::find_if(executors.begin(), executors.end(),
                     [&](const PythonPool& each) { return each.object == wait.object; });
    if (!resource || executor == executors.end()) return;
    const bool queued = !wait.attribute.empty();
    graph_.resource(*resource).type =
        (queued ? wait.attribute + " call of " : "call of ") + executor->type;
  }

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

  // What a task works for, the thread does whose call it waits for.
  void AddCall(const PythonTask& task) {
    const auto found = known_.find(task.waits_for.future);
    Wait* wait = graph_.WaitOf(graph_.TaskAt(task.address));
    if (task.waits_for.kind == PythonAwaitKind::kUnknown && found != known_.end() &&
        wait != nullptr) {
      wait->purpose = WaitPurpose::kJoin;
      graph_.resource(wait->resource).holders_known = AddHolders(*found->second, wait->resource);
    }
    const ActorIndex thread = graph_.ThreadOf(callers_.ThreadOfCall(task));
    if (thread == kNoIndex || task.request.empty()) return;
    graph_.actor(thread).request = task.request;
    graph_.actor(thread).client = task.client;
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
  const PythonCallers& callers_;
  std::unordered_map<std::uint64_t, const PythonCompletion*> known_;  // by future
  std::unordered_map<ResourceIndex, std::unordered_set<ActorIndex>> added_;
};

}  // namespace

void AddCompletions(PythonGraph& graph, const PythonCallers& callers) {
  Completions(graph, callers).Add();
}

}  // namespace ct
