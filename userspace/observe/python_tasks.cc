#include "observe/python_tasks.h"

#include <algorithm>
#include <string>
#include <unordered_set>

namespace ct {
namespace {

// A chain of tasks that wait for tasks, along which a timeout is handed down, is cut there.
constexpr int kMaxDepth = 64;
// Looks are taken some milliseconds apart; on a host that is short of CPU time they are not, and a
// queue that moves looks the same at both ends.
constexpr DurationNs kLikelyTheSame = 100 * kMillisecond;

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

bool IsOfThreads(const Resource& resource) { return resource.type.starts_with("threading."); }

}  // namespace

PythonTasks::PythonTasks(PythonGraph& graph) : graph_(graph), callers_(graph.look().second) {
  for (const PythonTask& task : graph.look().second.tasks) own_.emplace(task.address, &task);
}

bool PythonTasks::IsSteady(const PythonTask& task) const {
  const auto parts = callers_.Parts(*own_.at(task.address));
  return std::all_of(parts.begin(), parts.end(), [this](const PythonTask* part) {
    return graph_.comparison().IsSteady(*part);
  });
}

void PythonTasks::AddActors() {
  for (const PythonTask& task : graph_.look().second.tasks) AddActor(task);
}

void PythonTasks::AddActor(const PythonTask& own) {
  const RunState state = StateOf(own);
  if (state == RunState::kExited || callers_.ShownAs(own.address) != own.address) return;
  const PythonTask& task = callers_.Whole(own);
  Actor actor;
  actor.kind = ActorKind::kTask;
  actor.id = graph_.InfoOf(task.thread).id;
  actor.ns_tid = task.thread;
  actor.task = task.address;
  actor.name = task.name.empty() ? "without a name" : task.name;
  actor.request = task.request;
  actor.client = task.client;
  actor.process = graph_.place().process;
  actor.state = state;
  actor.still = IsSteady(task);
  actor.user_stack = graph_.AddStack(task.frames, 0, task.truncated);
  actor.created_at = CreatedAt(own);
  const auto index = static_cast<ActorIndex>(graph_.out().actors.size());
  graph_.out().actors.push_back(std::move(actor));
  alive_.emplace_back(&task, index);
  for (const PythonTask* part : callers_.Parts(own)) graph_.AddTask(*part, index);
}

StackIndex PythonTasks::CreatedAt(const PythonTask& task) {
  const std::vector<PythonOrigin>& origins = graph_.look().second.origins;
  if (task.origin >= origins.size()) return kNoIndex;
  const PythonOrigin& origin = origins[task.origin];
  const auto [entry, is_new] = created_.try_emplace(task.origin, kNoIndex);
  if (is_new) entry->second = graph_.AddStack(origin.frames, 0, origin.truncated);
  return entry->second;
}

void PythonTasks::AddWaits() {
  for (const auto& [task, actor] : alive_) AddWait(*task, actor);
}

void PythonTasks::AddWait(const PythonTask& task, ActorIndex actor) {
  if (task.state != PythonTaskState::kWaiting) return;
  const auto awaited = AwaitedResource(
      task.waits_for,
      task.frames.empty() ? "" : graph_.look().second.CodeOf(task.frames.front()).function);
  if (!awaited) return;
  Wait wait;
  wait.actor = actor;
  wait.resource = graph_.ResourceAt(*awaited);
  wait.purpose = awaited->purpose;
  wait.evidence = Evidence::kCertain;
  wait.evidence_note = "read from the task";
  // Once the loop has run, what looks the same in both looks may be another wait at the same place.
  wait.since = graph_.look().end;
  const bool steady = IsSteady(task);
  if (steady) {
    const bool consistent = graph_.comparison().IsConsistent(task);
    wait.continuity = consistent ? Continuity::kStill : Continuity::kContinued;
    if (consistent) wait.since = std::max(graph_.look().begin, wait.since - kLikelyTheSame);
    if (graph_.comparison().SleptThrough(task)) {
      wait.since = std::min(graph_.InfoOf(task.thread).slept_since.value_or(graph_.look().begin),
                            graph_.look().begin);
    }
  }
  const PythonPoolAges* const ages = graph_.place().pool_ages;
  const auto waits_since = steady && ages != nullptr ? ages->WaitsSince(task) : std::nullopt;
  if (waits_since) wait.since = std::min(wait.since, *waits_since);
  // What only one look shows of a loop that runs may have been read while it changed.
  const auto not_before = task.not_before ? ToTime(*task.not_before) : std::nullopt;
  if (steady && not_before && *not_before <= graph_.look().begin) {
    wait.not_before = not_before;
    if (task.began_then) wait.since = *not_before;
  }
  if (task.deadline) {
    wait.timed = true;
    wait.deadline = ToTime(*task.deadline);
  }
  if (steady && task.waits_for.unreferenced) {
    graph_.resource(wait.resource).abandoned = Abandoned::kUnreferenced;
  }
  AddEnds(task.waits_for, wait.resource);
  graph_.SetWait(std::move(wait));
}

// The tasks that are waited for are what holds back whoever waits for their end.
void PythonTasks::AddEnds(const PythonAwait& wait, ResourceIndex index) {
  switch (wait.kind) {
    case PythonAwaitKind::kOne:
    case PythonAwaitKind::kAll:
    case PythonAwaitKind::kAny:
      break;
    default:
      return;
  }
  Resource& resource = graph_.resource(index);
  std::vector<ActorIndex>& ends = ends_[index];
  if (!ends.empty()) return;  // of somebody else who waits for the same
  for (const std::uint64_t child : wait.children) {
    const ActorIndex actor = graph_.TaskAt(child);
    if (actor != kNoIndex) ends.push_back(actor);
  }
  // Anybody may complete a future that is no task: one of them is enough for "any", and those
  // that are tasks have to end all the same for "all".
  const bool any_task = !ends.empty();
  resource.holders_known =
      any_task && (wait.kind == PythonAwaitKind::kAll || ends.size() == wait.children.size());
  for (const ActorIndex actor : ends) {
    graph_.AddHold(actor, index, Evidence::kCertain, "the task has not ended");
    if (wait.kind == PythonAwaitKind::kOne) resource.symbol = graph_.actor(actor).name;
  }
}

void PythonTasks::AddHolds() {
  for (const auto& [task, actor] : alive_) {
    for (std::size_t i = 0; i < task->frames.size(); ++i) {
      graph_.AddHoldsOf(task->frames, i, task->truncated, actor);
    }
  }
}

void PythonTasks::HandDownDeadlines() {
  std::vector<ActorIndex> changed;
  for (const auto& [task, actor] : alive_) {
    const Wait* wait = graph_.WaitOf(actor);
    if (wait == nullptr || !wait->timed || !ends_.contains(wait->resource)) continue;
    if (graph_.resource(wait->resource).type != "asyncio.wait") changed.push_back(actor);
  }
  for (int depth = 0; depth < kMaxDepth && !changed.empty(); ++depth) {
    std::vector<ActorIndex> next;
    for (const ActorIndex actor : changed) {
      const Wait& parent = *graph_.WaitOf(actor);
      const auto ends = ends_.find(parent.resource);
      if (ends == ends_.end()) continue;
      for (const ActorIndex child : ends->second) {
        Wait* wait = graph_.WaitOf(child);
        if (wait == nullptr) continue;
        const bool earlier =
            !wait->timed ||
            (parent.deadline && (!wait->deadline || *parent.deadline < *wait->deadline));
        if (!earlier) continue;
        wait->timed = true;
        wait->deadline = parent.deadline;
        next.push_back(child);
      }
    }
    changed = std::move(next);
  }
}

void PythonTasks::WaitForBlockedLoops() {
  std::unordered_set<ResourceIndex> waited_for;
  for (const Wait& wait : graph_.out().waits) waited_for.insert(wait.resource);
  // By actor: whether what it holds back is a lock of threads.
  std::unordered_map<ActorIndex, bool> holds_back;
  for (const Hold& hold : graph_.out().holds) {
    if (!waited_for.contains(hold.resource)) continue;
    holds_back[hold.actor] |= IsOfThreads(graph_.resource(hold.resource));
  }
  for (const auto& [task, actor] : alive_) {
    const auto held = holds_back.find(actor);
    if (held == holds_back.end()) continue;
    const ActorIndex thread = graph_.ThreadOf(task->thread);
    const Wait* blocked = thread != kNoIndex ? graph_.WaitOf(thread) : nullptr;
    if (blocked == nullptr || blocked->evidence != Evidence::kCertain ||
        blocked->continuity != Continuity::kStill) {
      continue;
    }
    // It needs both: of the two the graph takes the one that may say more.
    const Wait* own = graph_.WaitOf(actor);
    const bool own_says_more =
        own != nullptr && !held->second && graph_.resource(own->resource).holders_known;
    if (!own_says_more) WaitForLoop(*task, actor, thread);
  }
}

void PythonTasks::WaitForLoop(const PythonTask& task, ActorIndex actor, ActorIndex thread) {
  PythonResource loop;
  loop.kind = ResourceKind::kEventLoop;
  loop.address = task.loop;
  loop.type = "asyncio event loop";
  const ResourceIndex index = graph_.ResourceAt(loop);
  if (!graph_.IsHeld(index)) {
    graph_.AddHold(thread, index, Evidence::kCertain, "the loop runs in it");
    graph_.resource(index).holders_known = true;
  }
  const Wait& blocked = *graph_.WaitOf(thread);
  Wait wait;
  wait.actor = actor;
  wait.resource = index;
  wait.evidence = Evidence::kCertain;
  wait.evidence_note = "the thread of its loop is blocked";
  wait.since = blocked.since;
  if (IsSteady(task)) wait.continuity = blocked.continuity;
  graph_.actor(actor).state = RunState::kSleeping;
  graph_.SetWait(std::move(wait));
}

}  // namespace ct
