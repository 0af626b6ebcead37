#include "observe/python_builder.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "observe/python_callers.h"
#include "observe/python_resources.h"

namespace ct {
namespace {

// A chain of tasks that wait for tasks, along which a timeout is handed down, is cut there.
constexpr int kMaxDepth = 64;

// A task has no clock of its own: loop.time() is time.monotonic(), in seconds.
std::optional<TimeNs> ToTime(double seconds) {
  constexpr double kLimit = 9e18;
  const double time = seconds * static_cast<double>(kSecond);
  if (!std::isfinite(time) || std::fabs(time) >= kLimit) return std::nullopt;
  return static_cast<TimeNs>(time);
}

RunState StateOf(const PythonTask& task) {
  switch (task.state) {
    case PythonTaskState::kWaiting:
      return RunState::kSleeping;
    case PythonTaskState::kRunning:
      return RunState::kRunning;
    case PythonTaskState::kNotStarted:
    case PythonTaskState::kRunnable:
      return RunState::kRunnable;
    case PythonTaskState::kFinished:
    case PythonTaskState::kCancelled:
      return RunState::kExited;
  }
  return RunState::kUnknown;
}

class PythonBuilder {
 public:
  PythonBuilder(const PythonLook& look, const PythonPlace& place, Observation& out)
      : look_(look), place_(place), out_(out), comparison_(look), callers_(look.second) {
    for (const PythonTask& task : look.second.tasks) tasks_.emplace(task.address, &task);
    const bool known =
        place.process >= 0 && static_cast<std::size_t>(place.process) < out.processes.size();
    space_ = known ? out.processes[static_cast<std::size_t>(place.process)].space : 0;
    for (const PythonThread& thread : look.second.threads) {
      threads_.emplace(thread.native_id, place.thread ? place.thread(thread) : PythonLoopThread{});
    }
  }

  void Build() {
    for (const PythonTask& task : look_.second.tasks) AddActor(task);
    for (const PythonPool& pool : look_.second.pools) AddPool(pool);
    for (const auto& [task, actor] : alive_) AddWait(*task, actor);
    HandDownDeadlines();
    for (const auto& [task, actor] : alive_) AddHolds(*task, actor);
    AddUses();
    AddLosses();
  }

 private:
  void AddActor(const PythonTask& own) {
    const RunState state = StateOf(own);
    if (state == RunState::kExited || callers_.ShownAs(own.address) != own.address) return;
    const PythonTask& task = callers_.Whole(own);
    Actor actor;
    actor.kind = ActorKind::kTask;
    actor.id = ThreadOf(task).id;
    actor.ns_tid = task.thread;
    actor.task = task.address;
    actor.name = task.name.empty() ? "without a name" : task.name;
    actor.process = place_.process;
    actor.state = state;
    actor.still = IsSteady(task);
    actor.user_stack = AddStack(task.frames, task.truncated, 0);
    const auto index = static_cast<ActorIndex>(out_.actors.size());
    out_.actors.push_back(std::move(actor));
    alive_.emplace_back(&task, index);
    for (const PythonTask* part : callers_.Parts(own)) actor_of_.emplace(part->address, index);
  }

  // It, and what it runs by wait_for(), did the same in both looks.
  bool IsSteady(const PythonTask& task) const {
    const auto found = tasks_.find(task.address);
    const auto parts = callers_.Parts(found != tasks_.end() ? *found->second : task);
    return std::all_of(parts.begin(), parts.end(),
                       [this](const PythonTask* part) { return comparison_.IsSteady(*part); });
  }

  PythonLoopThread ThreadOf(const PythonTask& task) const {
    const auto found = threads_.find(task.thread);
    return found != threads_.end() ? found->second : PythonLoopThread{};
  }

  // Tasks come by the thousand, and most of them stand where others do.
  StackIndex AddStack(const std::vector<PythonFrame>& from, bool truncated, std::size_t innermost) {
    const auto frames = std::span(from).subspan(innermost);
    std::vector<std::pair<std::uint32_t, std::uint32_t>> key;
    for (const PythonFrame& frame : frames) key.emplace_back(frame.code, frame.line);
    if (key.empty()) return kNoIndex;
    const auto [entry, is_new] = stacks_.try_emplace(std::pair(truncated, std::move(key)),
                                                     static_cast<StackIndex>(out_.stacks.size()));
    if (!is_new) return entry->second;
    Stack& stack = out_.stacks.emplace_back();
    stack.end = truncated ? StackEnd::kTooDeep : StackEnd::kComplete;
    for (const PythonFrame& row : frames) {
      const PythonCode& code = look_.second.CodeOf(row);
      Frame& frame = stack.frames.emplace_back();
      frame.origin = FrameOrigin::kPython;
      frame.function = code.function;
      frame.file = code.file;
      frame.line = row.line;
    }
    return entry->second;
  }

  ResourceIndex ResourceAt(const PythonResource& from) {
    const auto [entry, is_new] = resources_.try_emplace(
        std::pair(from.address, from.type), static_cast<ResourceIndex>(out_.resources.size()));
    if (!is_new) return entry->second;
    Resource resource;
    resource.kind = from.kind;
    resource.implementation = Implementation::kCpython;
    resource.id.space = space_;
    resource.id.address = from.address;
    resource.type = from.type;
    resource.rule = from.rule;
    out_.resources.push_back(std::move(resource));
    return entry->second;
  }

  void AddWait(const PythonTask& task, ActorIndex actor) {
    if (task.state != PythonTaskState::kWaiting) return;
    const auto awaited = AwaitedResource(
        task.waits_for,
        task.frames.empty() ? "" : look_.second.CodeOf(task.frames.front()).function);
    if (!awaited) return;
    Wait wait;
    wait.actor = actor;
    const auto pool = pools_.find(task.waits_for.pool);
    wait.resource = pool != pools_.end() ? pool->second : ResourceAt(*awaited);
    wait.purpose = awaited->purpose;
    wait.evidence = Evidence::kCertain;
    wait.evidence_note = "read from the task";
    wait.since = look_.end;
    if (IsSteady(task)) {
      wait.since = look_.begin;
      const bool consistent = comparison_.IsConsistent(task);
      wait.continuity = consistent ? Continuity::kStill : Continuity::kContinued;
      const auto slept_since = ThreadOf(task).slept_since;
      if (consistent && slept_since) wait.since = std::min(wait.since, *slept_since);
    }
    if (task.waiting_since) {
      wait.since = std::min(wait.since, ToTime(*task.waiting_since).value_or(wait.since));
    }
    if (task.deadline) {
      wait.timed = true;
      wait.deadline = ToTime(*task.deadline);
    }
    AddEnds(task.waits_for, wait.resource);
    out_.waits.push_back(std::move(wait));
  }

  // As long as what is in use changes from look to look, nobody knows who will give a unit back.
  bool IsSteady(const PythonPool& pool) const {
    const auto& before = look_.first.pools;
    return std::any_of(before.begin(), before.end(),
                       [&](const PythonPool& other) { return other == pool; });
  }

  void AddPool(const PythonPool& pool) {
    PythonResource from;
    from.kind = ResourceKind::kPool;
    from.address = pool.object;
    from.type = PoolName(pool.type);
    const ResourceIndex index = ResourceAt(from);
    pools_.emplace(pool.object, index);
    Resource& resource = out_.resources[static_cast<std::size_t>(index)];
    resource.capacity = pool.capacity;
    resource.in_use = pool.in_use;
    resource.idle = pool.idle;
    resource.changed_hands = !IsSteady(pool);
    std::size_t held = 0;
    for (const PythonUnit& unit : pool.units) {
      if (AddUnit(unit, index)) {
        ++held;
      } else if (unit.holders.empty()) {
        out_.resources[static_cast<std::size_t>(index)].lost_units.push_back(
            {unit.object, unit.type, unit.referrer});
      }
    }
    const bool exhausted = pool.capacity && pool.in_use >= *pool.capacity;
    resource.holders_known = exhausted && held == pool.in_use && !resource.changed_hands;
  }

  // Its likeliest holder; false if there is none.
  bool AddUnit(const PythonUnit& unit, ResourceIndex index) {
    std::vector<const PythonUnitHolder*> holders;  // one an actor
    std::unordered_set<ActorIndex> seen;
    for (const PythonUnitHolder& holder : unit.holders) {
      const auto actor = actor_of_.find(holder.task);
      if (actor == actor_of_.end() || !seen.insert(actor->second).second) continue;
      holders.push_back(&holder);
    }
    if (holders.empty()) return false;
    const PythonUnitHolder& first = *holders.front();
    const bool only_block = first.in_block && (holders.size() == 1 || !holders[1]->in_block);
    const bool certain = holders.size() == 1 || only_block;
    AddHold(actor_of_.at(first.task), index, certain ? Evidence::kCertain : Evidence::kProbable,
            first.in_block ? "through a with block"
            : certain      ? "by the only reference to it"
                           : "by the nearest of several references to it");
    const PythonTask& whole = callers_.Whole(*tasks_.at(callers_.ShownAs(first.task)));
    const std::size_t frame = callers_.FramesInside(first.task) + first.frame;
    if (frame < whole.frames.size())
      out_.holds.back().acquired_at = AddStack(whole.frames, whole.truncated, frame);
    return true;
  }

  // The tasks that are waited for are what holds back whoever waits for their end.
  void AddEnds(const PythonAwait& wait, ResourceIndex index) {
    switch (wait.kind) {
      case PythonAwaitKind::kOne:
      case PythonAwaitKind::kAll:
      case PythonAwaitKind::kAny:
        break;
      default:
        return;
    }
    Resource& resource = out_.resources[static_cast<std::size_t>(index)];
    std::vector<ActorIndex>& ends = ends_[index];
    if (!ends.empty()) return;  // of somebody else who waits for the same
    for (const std::uint64_t child : wait.children) {
      const auto actor = actor_of_.find(child);
      if (actor != actor_of_.end()) ends.push_back(actor->second);
    }
    // Anybody may complete a future that is no task: one of them is enough for "any", and those
    // that are tasks have to end all the same for "all".
    const bool any_task = !ends.empty();
    resource.holders_known =
        any_task && (wait.kind == PythonAwaitKind::kAll || ends.size() == wait.children.size());
    for (const ActorIndex actor : ends) {
      AddHold(actor, index, Evidence::kCertain, "the task has not ended");
      if (wait.kind == PythonAwaitKind::kOne) {
        resource.symbol = out_.actors[static_cast<std::size_t>(actor)].name;
      }
    }
  }

  void AddHold(ActorIndex actor, ResourceIndex resource, Evidence evidence, std::string note) {
    Hold hold;
    hold.actor = actor;
    hold.resource = resource;
    hold.evidence = evidence;
    hold.evidence_note = std::move(note);
    out_.holds.push_back(std::move(hold));
  }

  void AddHolds(const PythonTask& task, ActorIndex actor) {
    for (std::size_t i = 0; i < task.frames.size(); ++i) {
      for (const PythonHold& hold : task.frames[i].holds) {
        auto held = HeldResource(hold);
        if (!held) continue;
        const ResourceIndex index = ResourceAt(held->resource);
        AddHold(actor, index, held->evidence, std::move(held->note));
        out_.holds.back().acquired_at = AddStack(task.frames, task.truncated, i);
        out_.resources[static_cast<std::size_t>(index)].holders_known = true;
      }
    }
  }

  // Only of those who slept while all was read: whoever runs may have left before another came.
  void AddUses() {
    for (const auto& [task, actor] : alive_) {
      if (!comparison_.IsAsleep(task->thread)) continue;
      for (const PythonTask* part : callers_.Parts(*tasks_.at(task->address))) {
        const std::uint32_t inside = callers_.FramesInside(part->address);
        for (const PythonUse& use : part->uses) {
          AddUse(use, actor, comparison_.WasUsing(*part, use),
                 AddStack(task->frames, task->truncated, inside + use.frame));
        }
      }
    }
    for (const PythonThread& thread : look_.second.threads) {
      const ActorIndex actor = thread.uses.empty() ? kNoIndex : ActorOf(thread);
      if (actor == kNoIndex || !comparison_.IsAsleep(thread.native_id)) continue;
      for (const PythonUse& use : thread.uses) {
        AddUse(use, actor, comparison_.WasUsing(thread, use),
               AddStack(thread.frames, thread.truncated, use.frame));
      }
    }
  }

  void AddUse(const PythonUse& from, ActorIndex actor, bool twice, StackIndex at) {
    PythonResource object;
    object.kind = ResourceKind::kObject;
    object.address = from.object;
    object.type = PublicName(from.type);
    Use use;
    use.actor = actor;
    use.resource = ResourceAt(object);
    use.kind = from.attribute.empty() ? UseKind::kInside : UseKind::kThreadLocal;
    use.evidence = twice ? Evidence::kCertain : Evidence::kProbable;
    use.at = at;
    use.attribute = from.attribute;
    use.read_line = from.read_line;
    out_.uses.push_back(std::move(use));
  }

  ActorIndex ActorOf(const PythonThread& thread) const {
    const ThreadId id = threads_.at(thread.native_id).id;
    for (std::size_t i = 0; i < out_.actors.size(); ++i) {
      const Actor& actor = out_.actors[i];
      if (actor.kind == ActorKind::kThread && actor.id.tid != 0 && actor.id == id) {
        return static_cast<ActorIndex>(i);
      }
    }
    return kNoIndex;
  }

  // Whoever waits for a task with a timeout cancels it when the time is over (all do but
  // asyncio.wait): that ends the task's own wait, whatever it is for.
  void HandDownDeadlines() {
    std::unordered_map<ActorIndex, Wait*> wait_of;
    for (Wait& wait : out_.waits) wait_of.emplace(wait.actor, &wait);
    std::vector<Wait*> changed;
    for (Wait& wait : out_.waits) {
      const bool cancels =
          out_.resources[static_cast<std::size_t>(wait.resource)].type != "asyncio.wait";
      if (wait.timed && cancels && ends_.contains(wait.resource)) changed.push_back(&wait);
    }
    for (int depth = 0; depth < kMaxDepth && !changed.empty(); ++depth) {
      std::vector<Wait*> next;
      for (const Wait* parent : changed) {
        const auto ends = ends_.find(parent->resource);
        if (ends == ends_.end()) continue;
        for (const ActorIndex child : ends->second) {
          const auto found = wait_of.find(child);
          if (found == wait_of.end()) continue;
          Wait& wait = *found->second;
          const bool earlier =
              !wait.timed ||
              (parent->deadline && (!wait.deadline || *parent->deadline < *wait.deadline));
          if (!earlier) continue;
          wait.timed = true;
          wait.deadline = parent->deadline;
          next.push_back(&wait);
        }
      }
      changed = std::move(next);
    }
  }

  // What a look at a process that runs on misses, the other may have seen; and while its loops run,
  // objects come and go.
  void AddLosses() {
    const bool rests = comparison_.AllLoopsSlept();
    std::map<std::string, std::uint64_t> before;
    for (const PythonSkip& skip : look_.first.skips) before[skip.reason] += skip.count;
    for (const PythonSkip& skip : look_.second.skips) {
      const auto found = before.find(skip.reason);
      const std::uint64_t both = found == before.end() ? 0 : std::min(found->second, skip.count);
      if (both > 0) out_.losses.push_back({"of Python: " + skip.reason, both, rests, ""});
    }
  }

  const PythonLook& look_;
  const PythonPlace& place_;
  Observation& out_;
  const PythonComparison comparison_;
  const PythonCallers callers_;
  std::unordered_map<std::uint64_t, const PythonTask*> tasks_;  // by address
  SpaceId space_ = 0;
  std::unordered_map<pid_t, PythonLoopThread> threads_;  // by native id
  std::vector<std::pair<const PythonTask*, ActorIndex>> alive_;
  std::unordered_map<std::uint64_t, ActorIndex> actor_of_;  // by the task's address
  std::map<std::pair<bool, std::vector<std::pair<std::uint32_t, std::uint32_t>>>, StackIndex>
      stacks_;
  std::map<std::pair<std::uint64_t, std::string>, ResourceIndex> resources_;
  std::unordered_map<std::uint64_t, ResourceIndex> pools_;           // by address
  std::unordered_map<ResourceIndex, std::vector<ActorIndex>> ends_;  // the tasks waited for
};

}  // namespace

void AddPython(const PythonLook& look, const PythonPlace& place, Observation& observation) {
  PythonBuilder(look, place, observation).Build();
}

}  // namespace ct
