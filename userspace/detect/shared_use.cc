// SHARED_OBJECT and THREAD_LOCAL_IN_TASKS: several are in the middle of using what only one may use
// at a time. Nobody waits; what they read or write is wrong.
#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "detect/context.h"

namespace ct {

namespace {

// Uses of one thing that can meet: of an object by anybody, of one attribute of a threading.local
// by the tasks of one thread.
struct Key {
  ResourceIndex resource = kNoIndex;
  UseKind kind = UseKind::kInside;
  std::string attribute;
  pid_t tid = 0;
  auto operator<=>(const Key&) const = default;
};

constexpr int kMaxSteps = 64;  // of a chain of tasks that wait for each other's end

class SharedUseDetector {
 public:
  explicit SharedUseDetector(DetectContext& context)
      : context_(context), graph_(context.graph), uses_(context.observation().uses) {}

  std::vector<Finding> Run() {
    std::map<Key, std::vector<const Use*>> by_key;
    for (const Use& use : uses_) {
      if (!IsIn(use.actor, graph_.actor_count()) || !IsIn(use.resource, graph_.resource_count())) {
        continue;
      }
      Key key{use.resource, use.kind, use.attribute, 0};
      if (use.kind == UseKind::kThreadLocal) key.tid = graph_.actor(use.actor).id.tid;
      by_key[key].push_back(&use);
    }
    std::vector<Finding> found;
    for (auto& [key, uses] : by_key) {
      uses = Concurrent(std::move(uses));
      if (uses.size() >= 2) found.push_back(Write(key, uses));
    }
    return found;
  }

 private:
  static bool IsIn(std::int32_t index, std::size_t size) {
    return index >= 0 && static_cast<std::size_t>(index) < size;
  }

  using Users = std::unordered_map<ActorIndex, const Use*>;

  // One for each actor, without those that a lock keeps apart and those that only wait for another
  // of them to end: session.close() in a task of its own, which session.__aexit__() waits for.
  [[nodiscard]] std::vector<const Use*> Concurrent(std::vector<const Use*> uses) const {
    Users users;
    std::erase_if(uses, [&](const Use* use) { return !users.emplace(use->actor, use).second; });
    std::erase_if(uses, [&](const Use* use) { return WaitsForOneOf(use->actor, users); });
    return uses;
  }

  [[nodiscard]] bool WaitsForOneOf(ActorIndex actor, const Users& users) const {
    std::unordered_set<ActorIndex> seen = {actor};
    std::vector<ActorIndex> next = {actor};
    for (int step = 0; step < kMaxSteps && !next.empty(); ++step) {
      std::vector<ActorIndex> holders;
      for (const ActorIndex at : next) {
        const WaitIndex wait = graph_.WaitOf(at);
        if (wait == kNoIndex || IsForItsOwnLock(wait)) continue;
        for (const HoldIndex hold : graph_.HoldersOf(graph_.wait(wait).resource)) {
          const ActorIndex holder = graph_.hold(hold).actor;
          const auto user = users.find(holder);
          if (user != users.end() && IsBelow(graph_.hold(hold), *user->second)) continue;
          if (holder != actor && user != users.end()) return true;
          if (seen.insert(holder).second) holders.push_back(holder);
        }
      }
      next = std::move(holders);
    }
    return false;
  }

  // A lock of something that the object uses itself, as SQLAlchemy's connections of asyncpg have
  // one: taken further inside than its method, by code of another file. It is taken for each call,
  // and keeps nothing apart that belongs together.
  [[nodiscard]] bool IsBelow(const Hold& hold, const Use& use) const {
    const auto& stacks = context_.observation().stacks;
    if (!IsIn(hold.acquired_at, stacks.size()) || !IsIn(use.at, stacks.size())) return false;
    const auto& taken = stacks[static_cast<std::size_t>(hold.acquired_at)].frames;
    const auto& inside = stacks[static_cast<std::size_t>(use.at)].frames;
    return !inside.empty() && taken.size() > inside.size() &&
           taken.front().file != inside.front().file;
  }

  // A lock below Python, as a connection of sqlite3 has one: it is taken for each call, and keeps
  // nothing apart that belongs together.
  [[nodiscard]] bool IsForItsOwnLock(WaitIndex wait) const {
    const Resource& resource = graph_.resource(graph_.wait(wait).resource);
    return graph_.actor(graph_.wait(wait).actor).kind == ActorKind::kThread &&
           resource.kind == ResourceKind::kMutex &&
           resource.implementation != Implementation::kCpython;
  }

  Finding Write(const Key& key, const std::vector<const Use*>& uses) const {
    Finding finding;
    const bool is_local = key.kind == UseKind::kThreadLocal;
    finding.kind = is_local ? FindingKind::kThreadLocalInTasks : FindingKind::kSharedObject;
    finding.evidence = is_local ? Evidence::kProbable : Evidence::kCertain;
    for (const Use* use : uses) {
      finding.members.push_back(use->actor);
      finding.evidence = std::min(finding.evidence, use->evidence);
    }
    std::sort(finding.members.begin(), finding.members.end());
    finding.resources = {key.resource};
    finding.ending = Ending::kMayEnd;
    finding.since = context_.observation().begin;
    const std::string what = context_.describe.Resource(key.resource);
    if (is_local) {
      finding.proof = {fmt::format(
          "{} tasks of one thread have stored {}.{} and will read it after they wait: they find "
          "what the last of them has stored",
          uses.size(), what, key.attribute)};
      finding.advice = "Use a contextvars.ContextVar: each task has its own";
    } else {
      finding.proof = {
          fmt::format("{} are inside methods of {} at the same time, and no lock keeps "
                      "them apart",
                      uses.size(), what)};
      finding.advice = "Give each its own, or hold one lock around every use";
    }
    return finding;
  }

  DetectContext& context_;
  const WaitGraph& graph_;
  const std::vector<Use>& uses_;
};

}  // namespace

std::vector<Finding> DetectSharedUses(DetectContext& context) {
  return SharedUseDetector(context).Run();
}

}  // namespace ct
