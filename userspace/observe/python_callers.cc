#include "observe/python_callers.h"

#include <algorithm>
#include <string_view>

namespace ct {
namespace {

constexpr int kMaxDepth = 8;  // of wait_for() in wait_for()

// A task that nobody gave a name, as one that wait_for() makes.
bool IsNameless(std::string_view name) {
  constexpr std::string_view kPrefix = "Task-";
  return name.starts_with(kPrefix) &&
         name.find_first_not_of("0123456789", kPrefix.size()) == std::string_view::npos;
}

}  // namespace

PythonCallers::PythonCallers(const PythonProcess& process) : process_(&process) {
  for (const PythonTask& task : process.tasks) {
    by_address_.emplace(task.address, &task);
    for (const std::uint64_t child : task.waits_for.children) ++waiters_[child];
  }
  for (const PythonTask& task : process.tasks) {
    const PythonTask* child = RunBy(task);
    if (child == nullptr || !caller_of_.emplace(child->address, &task).second) continue;
    run_by_.emplace(task.address, child);
  }
  for (const auto& [caller, child] : run_by_) Join(*by_address_.at(caller));
}

const PythonTask* PythonCallers::RunBy(const PythonTask& caller) const {
  const PythonAwait& wait = caller.waits_for;
  if (wait.kind != PythonAwaitKind::kOne || wait.children.size() != 1 || caller.frames.empty()) {
    return nullptr;
  }
  if (process_->CodeOf(caller.frames.front()).function != "wait_for") return nullptr;
  const auto child = by_address_.find(wait.children.front());
  if (child == by_address_.end() || waiters_.at(child->first) != 1) return nullptr;
  const PythonTask& task = *child->second;
  const bool same = task.state == PythonTaskState::kWaiting && task.loop == caller.loop;
  return same && IsNameless(task.name) && task.address != caller.address ? &task : nullptr;
}

std::vector<const PythonTask*> PythonCallers::Parts(const PythonTask& task) const {
  std::vector<const PythonTask*> parts = {&task};
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    const auto next = run_by_.find(parts.back()->address);
    if (next == run_by_.end()) break;
    parts.push_back(next->second);
  }
  return parts;
}

void PythonCallers::Join(const PythonTask& caller) {
  if (caller_of_.contains(caller.address)) return;
  PythonTask whole = caller;
  const auto parts = Parts(caller);
  for (auto part = parts.begin() + 1; part != parts.end(); ++part) {
    const PythonTask& inner = **part;
    const auto inside = static_cast<std::uint32_t>(inner.frames.size());
    whole.frames.insert(whole.frames.begin(), inner.frames.begin(), inner.frames.end());
    whole.deadline_frame += inside;
    whole.truncated |= inner.truncated;
    whole.waits_for = inner.waits_for;
    if (inner.deadline && (!whole.deadline || *inner.deadline < *whole.deadline)) {
      whole.deadline = inner.deadline;
      whole.deadline_frame = inner.deadline_frame;
    }
    // The inner one began later, so it knows better.
    if (inner.not_before && (!whole.not_before || *inner.not_before > *whole.not_before)) {
      whole.not_before = inner.not_before;
      whole.began_then = inner.began_then;
    }
    if (whole.request.empty()) {
      whole.request = inner.request;
      whole.client = inner.client;
    }
  }
  whole_.emplace(caller.address, std::move(whole));
}

std::uint64_t PythonCallers::ShownAs(std::uint64_t task) const {
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    const auto caller = caller_of_.find(task);
    if (caller == caller_of_.end()) break;
    task = caller->second->address;
  }
  return task;
}

const PythonTask& PythonCallers::Whole(const PythonTask& task) const {
  const auto whole = whole_.find(task.address);
  return whole != whole_.end() ? whole->second : task;
}

std::uint32_t PythonCallers::FramesInside(std::uint64_t task) const {
  std::uint32_t inside = 0;
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    const auto next = run_by_.find(task);
    if (next == run_by_.end()) break;
    inside += static_cast<std::uint32_t>(next->second->frames.size());
    task = next->second->address;
  }
  return inside;
}

}  // namespace ct
