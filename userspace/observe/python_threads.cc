#include "observe/python_threads.h"

#include <algorithm>
#include <ranges>

#include "observe/python_stack.h"

namespace ct {

PythonThreads::PythonThreads(PythonGraph& graph) : graph_(graph) {
  const auto& actors = graph.out().actors;
  for (std::size_t i = 0; i < actors.size(); ++i) {
    if (actors[i].kind != ActorKind::kThread || actors[i].process != graph.place().process) {
      continue;
    }
    known_.emplace(actors[i].id, static_cast<ActorIndex>(i));
  }
  for (const PythonLock& lock : graph.look().second.locks) owners_.insert(lock.owner);
  for (const PythonTask& task : graph.look().second.tasks) {
    if (task.state != PythonTaskState::kRunning) continue;
    for (const PythonFrame& frame : task.frames) frames_of_tasks_.insert(frame.address);
  }
}

bool PythonThreads::IsInGraph(const PythonThread& thread) const {
  if (thread.waits_for.kind != PythonAwaitKind::kNothing &&
      thread.waits_for.kind != PythonAwaitKind::kGil) {
    return true;
  }
  if (owners_.contains(thread.ident) || !thread.uses.empty()) return true;
  return std::any_of(thread.frames.begin(), thread.frames.end(), [](const PythonFrame& frame) {
    return std::any_of(frame.holds.begin(), frame.holds.end(),
                       [](const PythonHold& hold) { return HeldResource(hold).has_value(); });
  });
}

ActorIndex PythonThreads::NewActor(const PythonThread& thread) {
  Actor actor;
  actor.id = graph_.InfoOf(thread.native_id).id;
  actor.ns_tid = thread.native_id;
  actor.name = "thread";
  actor.process = graph_.place().process;
  actor.state = thread.asleep ? RunState::kSleeping : RunState::kUnknown;
  actor.still = graph_.comparison().SleptThrough(thread);
  actor.user_stack = graph_.AddStack(thread.frames, 0, thread.truncated);
  graph_.out().actors.push_back(std::move(actor));
  return static_cast<ActorIndex>(graph_.out().actors.size() - 1);
}

void PythonThreads::MergeStack(const PythonThread& thread, ActorIndex index) {
  Actor& actor = graph_.actor(index);
  if (!graph_.comparison().IsAtSamePlace(thread)) return;
  const auto stacks = graph_.out().stacks.size();
  if (actor.user_stack < 0 || static_cast<std::size_t>(actor.user_stack) >= stacks) {
    actor.user_stack = graph_.AddStack(thread.frames, 0, thread.truncated);
    return;
  }
  std::vector<PythonStackFrame> python;
  for (const PythonFrame& frame : thread.frames) {
    python.push_back({FrameOf(graph_.look().second, frame), frame.entry});
  }
  Stack& stack = graph_.out().stacks[static_cast<std::size_t>(actor.user_stack)];
  stack = WithPythonFrames(std::move(stack), python);
}

void PythonThreads::AddActors() {
  // The interpreter lists the youngest first.
  const auto& threads = graph_.look().second.threads;
  for (const PythonThread& thread : std::ranges::reverse_view(threads)) {
    ActorIndex actor = kNoIndex;
    if (graph_.place().threads_are_known) {
      const auto found = known_.find(graph_.InfoOf(thread.native_id).id);
      if (found == known_.end()) continue;
      actor = found->second;
      MergeStack(thread, actor);
    } else if (IsInGraph(thread)) {
      actor = NewActor(thread);
    } else {
      continue;
    }
    if (!thread.name.empty()) graph_.actor(actor).name = thread.name;
    graph_.AddThread(thread, actor);
    threads_.emplace_back(&thread, actor);
  }
}

void PythonThreads::AddWaits() {
  for (const auto& [thread, actor] : threads_) AddWait(*thread, actor);
}

Continuity PythonThreads::ContinuityOf(const PythonThread& thread, ActorIndex actor,
                                       const Wait* native) {
  if (!graph_.comparison().IsSteady(thread)) return Continuity::kSeenOnce;
  if (!graph_.place().threads_are_known) {
    return graph_.comparison().SleptThrough(thread) ? Continuity::kStill : Continuity::kContinued;
  }
  if (graph_.actor(actor).still) return Continuity::kStill;
  // It asks for it again every few milliseconds.
  if (thread.waits_for.kind == PythonAwaitKind::kGil) return Continuity::kContinued;
  return native != nullptr ? native->continuity : Continuity::kSeenOnce;
}

void PythonThreads::AddWait(const PythonThread& thread, ActorIndex actor) {
  const PythonAwait& awaited = thread.waits_for;
  if (awaited.kind == PythonAwaitKind::kNothing || awaited.kind == PythonAwaitKind::kUnknown) {
    return;
  }
  // By reading alone nothing could be said of who has it.
  const bool is_gil = awaited.kind == PythonAwaitKind::kGil;
  if (is_gil && !graph_.place().threads_are_known) return;
  const Wait* native = graph_.WaitOf(actor);
  // The C frames tell it, too, where they have names.
  if (is_gil && native != nullptr && graph_.resource(native->resource).kind == ResourceKind::kGil) {
    return;
  }
  const Continuity continuity = ContinuityOf(thread, actor, native);
  // Between two sweeps it is known better than by two looks.
  if (graph_.place().threads_are_known && continuity == Continuity::kSeenOnce) return;
  const auto resource = AwaitedResource(awaited, "");
  if (!resource) return;
  Wait wait;
  if (native != nullptr) {
    wait = *native;
  } else {
    wait.actor = actor;
    // Who has run meanwhile may have been here before.
    wait.since = graph_.look().end;
    if (continuity == Continuity::kStill) {
      wait.since =
          std::min(graph_.InfoOf(thread.native_id).slept_since.value_or(graph_.look().begin),
                   graph_.look().begin);
    }
  }
  wait.resource = graph_.ResourceAt(*resource);
  wait.mode = AccessMode::kExclusive;
  wait.purpose = resource->purpose;
  wait.evidence = Evidence::kCertain;
  wait.evidence_note = "its futex and its frames";
  wait.continuity = continuity;
  wait.timed = thread.timed;
  if (thread.deadline) wait.deadline = ToTime(*thread.deadline);
  if (!wait.timed) wait.deadline.reset();
  if (awaited.kind == PythonAwaitKind::kThread) AddEnd(awaited, wait.resource);
  graph_.SetWait(std::move(wait));
}

void PythonThreads::AddEnd(const PythonAwait& wait, ResourceIndex index) {
  if (wait.children.empty() || graph_.IsHeld(index)) return;
  const ActorIndex actor = graph_.ThreadWithIdent(wait.children.front());
  if (actor == kNoIndex) return;
  graph_.AddHold(actor, index, Evidence::kCertain, "the thread has not ended");
  graph_.resource(index).holders_known = true;
}

void PythonThreads::AddHolds() {
  for (const auto& [thread, actor] : threads_) {
    for (std::size_t i = 0; i < thread->frames.size(); ++i) {
      // What a task does in the middle of its step is the task's.
      if (frames_of_tasks_.contains(thread->frames[i].address)) continue;
      graph_.AddHoldsOf(thread->frames, i, thread->truncated, actor);
    }
  }
}

void PythonThreads::AddOwners() {
  for (const PythonLock& lock : graph_.look().second.locks) AddOwner(lock);
  for (const PythonGil& gil : graph_.look().second.gils) AddGil(gil);
}

void PythonThreads::AddOwner(const PythonLock& lock) {
  const ResourceIndex index = graph_.ResourceAt(LockResource(lock));
  Resource& resource = graph_.resource(index);
  if (!lock.locked) resource.changed_hands = true;
  if (lock.owner == 0 || graph_.IsHeld(index)) return;
  const auto& before = graph_.look().first.locks;
  if (std::find(before.begin(), before.end(), lock) == before.end()) return;
  const ActorIndex owner = graph_.ThreadWithIdent(lock.owner);
  if (owner != kNoIndex) {
    graph_.AddHold(owner, index, Evidence::kCertain, "the lock names its owner");
    resource.holders_known = true;
    return;
  }
  const auto& threads = graph_.look().second.threads;
  const bool lives = std::any_of(threads.begin(), threads.end(), [&](const PythonThread& thread) {
    return thread.ident == lock.owner;
  });
  if (lives) return;
  resource.abandoned = Abandoned::kOwnerExited;
  resource.holders_known = true;
}

void PythonThreads::AddGil(const PythonGil& gil) {
  const auto index = graph_.FindResource(GilResource(gil.address));
  if (!index) return;  // nobody waits for it
  const auto& before = graph_.look().first.gils;
  Resource& resource = graph_.resource(*index);
  if (std::find(before.begin(), before.end(), gil) == before.end()) {
    resource.changed_hands = true;
    return;
  }
  const ActorIndex holder = gil.held ? graph_.ThreadOf(gil.holder) : kNoIndex;
  if (holder == kNoIndex) return;
  const auto thread = std::find_if(threads_.begin(), threads_.end(),
                                   [&](const auto& each) { return each.second == holder; });
  graph_.AddHold(holder, *index, Evidence::kCertain, "the GIL names who has it",
                 graph_.AddStack(thread->first->frames, 0, thread->first->truncated));
  graph_.resource(*index).holders_known = true;
}

void PythonThreads::SettlePurposes() {
  for (const auto& [thread, actor] : threads_) {
    Wait* wait = graph_.WaitOf(actor);
    if (wait == nullptr || thread->waits_for.type != "_thread.lock") continue;
    const Resource& resource = graph_.resource(wait->resource);
    if (resource.holders_known || resource.abandoned != Abandoned::kNo) continue;
    const bool enters =
        !thread->frames.empty() &&
        std::any_of(thread->frames.front().holds.begin(), thread->frames.front().holds.end(),
                    [&](const PythonHold& hold) {
                      return hold.entering && hold.object == thread->waits_for.object;
                    });
    if (!enters) wait->purpose = WaitPurpose::kEvent;
  }
}

}  // namespace ct
