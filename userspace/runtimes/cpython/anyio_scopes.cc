#include "runtimes/cpython/anyio_scopes.h"

namespace ct::cpython {
namespace {

constexpr std::uint64_t kModuleDict = 16;  // PyModuleObject.md_dict, 3.11 to 3.15
constexpr std::size_t kMaxTasks = 200'000;
constexpr int kMaxScopes = 256;  // one inside another

}  // namespace

// _task_states is a WeakKeyDictionary of TaskState by task.
void AnyioScopes::Find(Address modules) {
  scope_of_.clear();
  const Address module = heap_.DictGet(modules, "anyio._backends._asyncio");
  if (module == 0) return;
  const Address states = heap_.DictGet(heap_.Word(module + kModuleDict), "_task_states");
  heap_.ForEachItem(heap_.Attribute(states, "data"), kMaxTasks, [&](Address key, Address state) {
    const Address scope = heap_.Attribute(state, "cancel_scope");
    const Address task = heap_.Referent(key);
    if (task != 0 && scope != 0) scope_of_.emplace(task, scope);
    return true;
  });
}

std::uint32_t AnyioScopes::FrameOf(Address scope, const PythonTask& task) {
  for (std::size_t i = 0; i < task.frames.size(); ++i) {
    for (const PythonHold& hold : task.frames[i].holds) {
      // A FailAfterContextManager, a TaskGroup.
      if (hold.object == scope || (hold.type.starts_with("anyio.") &&
                                   (heap_.Attribute(hold.object, "_cancel_scope") == scope ||
                                    heap_.Attribute(hold.object, "cancel_scope") == scope))) {
        return static_cast<std::uint32_t>(i);
      }
    }
  }
  return task.frames.empty() ? 0 : static_cast<std::uint32_t>(task.frames.size() - 1);
}

void AnyioScopes::LowerDeadline(PythonTask& task) {
  const auto found = scope_of_.find(task.address);
  if (found == scope_of_.end()) return;
  Address scope = found->second;
  Address earliest = 0;
  for (int depth = 0; depth < kMaxScopes; ++depth) {
    if (scopes_left_ == 0) {
      heap_.skips().Add("cancel scopes beyond the limit");
      break;
    }
    --scopes_left_;
    const Type* type = heap_.TypeOf(scope);
    if (type == nullptr || type->short_name() != "CancelScope") break;
    // One that has expired, or whose block is left, ends nothing any more.
    const bool armed = heap_.Int(heap_.Attribute(scope, "_active")) == 1 &&
                       heap_.Int(heap_.Attribute(scope, "_cancel_called")) == 0;
    const auto deadline = heap_.Float(heap_.Attribute(scope, "_deadline"));
    if (armed && deadline && (!task.deadline || *deadline < *task.deadline)) {
      task.deadline = deadline;
      earliest = scope;
    }
    // What is outside does not reach into it.
    if (heap_.Int(heap_.Attribute(scope, "_shield")) != 0) break;
    scope = heap_.Attribute(scope, "_parent_scope");
  }
  if (earliest != 0) task.deadline_frame = FrameOf(earliest, task);
}

}  // namespace ct::cpython
