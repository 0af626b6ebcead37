#include "runtimes/cpython/tasks.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>

#include "runtimes/cpython/awaits.h"
#include "runtimes/cpython/greenlets.h"

namespace ct::cpython {
namespace {

constexpr std::size_t kMaxTasks = 200'000;
constexpr std::size_t kMaxFrames = 512;  // of one task
constexpr std::size_t kMaxName = 256;
constexpr std::size_t kMaxThreads = 4096;
constexpr std::uint64_t kFutureLoop = 16;  // FutureObj.fut_loop, 3.11 to 3.15
constexpr std::uint64_t kModuleDict = 16;  // PyModuleObject.md_dict

// enum fut_state of Modules/_asynciomodule.c
constexpr std::int32_t kPending = 0;
constexpr std::int32_t kCancelled = 1;

bool HasLists(const Offsets& offsets) { return offsets.interp_tasks != 0; }

}  // namespace

std::string TaskName(Heap& heap, Address task) {
  const Address name = heap.Word(task + heap.offsets().task_name);
  if (auto text = heap.Str(name, kMaxName)) return *text;
  const auto number = heap.Int(name);
  return number ? "Task-" + std::to_string(*number) : "";
}

// A ring of struct llist_node {next, prev} (pycore_llist.h), which begins and ends at its head.
void TaskReader::ListLinked(Address head, std::vector<Address>& tasks) {
  std::unordered_set<Address> seen;
  Address node = heap_.Word(head);
  while (node != 0 && node != head && seen.insert(node).second) {
    if (tasks.size() >= kMaxTasks) {
      heap_.skips().Add("more tasks than are read");
      return;
    }
    tasks.push_back(node - heap_.offsets().task_node);
    node = heap_.Word(node);
  }
  if (node != head) heap_.skips().Add("list of tasks changed or is malformed");
}

std::vector<Address> TaskReader::List(const InterpreterView& interpreter, Address module_dict) {
  std::vector<Address> tasks;
  const Offsets& offsets = heap_.offsets();
  if (HasLists(offsets)) {
    ListLinked(interpreter.address + offsets.interp_tasks, tasks);
    for (const ThreadView& view : interpreter.threads) {
      ListLinked(view.thread.address + offsets.thread_tasks, tasks);
    }
  } else {
    // WeakSets of asyncio/tasks.py: all tasks in 3.11; from 3.12 on without the eager ones, which
    // are in a set of their own until they first wait.
    const char* const all = heap_.IsAtLeast(12) ? "_scheduled_tasks" : "_all_tasks";
    const Address weak_set = heap_.DictGet(module_dict, all);
    tasks = heap_.Elements(heap_.Attribute(weak_set, "data"), kMaxTasks);
    const Address eager = heap_.DictGet(module_dict, "_eager_tasks");
    const auto more = heap_.Elements(eager, kMaxTasks - tasks.size());
    tasks.insert(tasks.end(), more.begin(), more.end());
  }
  std::sort(tasks.begin(), tasks.end());
  tasks.erase(std::unique(tasks.begin(), tasks.end()), tasks.end());
  return tasks;
}

void TaskReader::FindRunning(InterpreterView& interpreter, Address module_dict) {
  for (std::size_t i = 0; i < interpreter.threads.size(); ++i) {
    const PythonThread& thread = interpreter.threads[i].thread;
    if (thread.running_loop != 0) thread_of_loop_[thread.running_loop] = i;
  }
  // Up to 3.13 by loop, in a dict of asyncio/tasks.py.
  if (!HasLists(heap_.offsets())) {
    const Address current = heap_.DictGet(module_dict, "_current_tasks");
    heap_.ForEachItem(current, kMaxThreads, [&](Address loop, Address task) {
      const auto thread = thread_of_loop_.find(loop);
      if (thread != thread_of_loop_.end()) {
        interpreter.threads[thread->second].thread.running_task = task;
      }
      return true;
    });
  }
  for (std::size_t i = 0; i < interpreter.threads.size(); ++i) {
    PythonThread& thread = interpreter.threads[i].thread;
    if (thread.running_task == 0) continue;
    thread_of_task_[thread.running_task] = i;
    thread.task_name = TaskName(heap_, thread.running_task);
  }
}

void TaskReader::AddFrames(const std::vector<FrameView>& frames, bool suspended, PythonTask& task) {
  std::vector<PythonFrame> described;
  described.reserve(frames.size());
  for (const FrameView& frame : frames) described.push_back(frames_.Describe(frame));
  holds_.Fill(frames, suspended, described);
  acquires_.Fill(frames, described);
  std::move(described.begin(), described.end(), std::back_inserter(task.frames));
}

// SQLAlchemy runs a function that is no coroutine in a greenlet, and awaits for it what it would
// wait for: its frames lie between those of greenlet_spawn() and what that awaits.
void TaskReader::AddGreenlets(std::vector<FrameView>& stack, PythonTask& task) {
  std::vector<FrameView> whole;
  std::size_t told = 0;
  for (std::size_t i = 0; i < stack.size(); ++i) {
    if (stack[i].code->function != "greenlet_spawn") continue;
    const auto inside = FramesOfGreenlet(heap_, frames_, frames_.Local(stack[i], "context"),
                                         std::min<std::uint64_t>(kMaxFrames, frames_left_));
    if (inside.empty()) continue;
    frames_left_ -= std::min<std::uint64_t>(inside.size(), frames_left_);
    const std::vector<FrameView> before(stack.begin() + static_cast<std::ptrdiff_t>(told),
                                        stack.begin() + static_cast<std::ptrdiff_t>(i));
    AddFrames(before, true, task);
    AddFrames(inside, false, task);  // it is in a call of greenlet's
    whole.insert(whole.end(), before.begin(), before.end());
    whole.insert(whole.end(), inside.begin(), inside.end());
    told = i;
  }
  const std::vector<FrameView> rest(stack.begin() + static_cast<std::ptrdiff_t>(told), stack.end());
  AddFrames(rest, true, task);
  whole.insert(whole.end(), rest.begin(), rest.end());
  stack = std::move(whole);
}

void TaskReader::ReadStack(Address coroutine, const ThreadView* runs_in, PythonTask& task) {
  AwaitChain chain =
      FollowAwaits(heap_, frames_, coroutine, std::min<std::uint64_t>(kMaxFrames, frames_left_));
  task.truncated = chain.truncated;
  if (chain.state == GeneratorState::kCreated && chain.frames.size() == 1) {
    task.state = PythonTaskState::kNotStarted;
  }
  std::vector<FrameView> stack(chain.frames.rbegin(), chain.frames.rend());
  bool suspended = true;
  if (runs_in != nullptr && !chain.frames.empty()) {
    // It is on its thread's stack, with all that it called.
    const auto& running = runs_in->frames;
    const auto own = std::find_if(running.begin(), running.end(), [&](const FrameView& frame) {
      return frame.address == chain.frames.front().address;
    });
    if (own != running.end()) {
      stack.assign(running.begin(), own + 1);
      suspended = false;
    }
  }
  frames_left_ -= std::min<std::uint64_t>(stack.size(), frames_left_);
  task.frames.reserve(stack.size());
  if (suspended) {
    AddGreenlets(stack, task);
    task.uses = uses_.OfTask(stack);
  } else {
    for (const FrameView& frame : stack) task.frames.push_back(frames_.Describe(frame));
    holds_.Fill(stack, false, task.frames);
    acquires_.Fill(stack, task.frames);
  }
  requests_.Describe(stack, task);
  if (task.state == PythonTaskState::kWaiting) {
    waits_.Describe(task.waits_for.future, stack, task);
  }
}

PythonTask TaskReader::ReadTask(Address address, const InterpreterView& interpreter) {
  const Offsets& offsets = heap_.offsets();
  PythonTask task;
  task.address = address;
  task.name = TaskName(heap_, address);
  task.loop = heap_.Word(address + kFutureLoop);
  const auto loop = thread_of_loop_.find(task.loop);
  if (loop != thread_of_loop_.end()) {
    task.thread = interpreter.threads[loop->second].thread.native_id;
  }
  const auto state = heap_.Value<std::int32_t>(address + offsets.task_state).value_or(kPending);
  if (state != kPending) {
    task.state = state == kCancelled ? PythonTaskState::kCancelled : PythonTaskState::kFinished;
    return task;
  }
  const auto running = thread_of_task_.find(address);
  const Address future = heap_.Word(address + offsets.task_waiter);
  if (running != thread_of_task_.end()) {
    task.state = PythonTaskState::kRunning;
  } else if (heap_.TypeOf(future) != nullptr && !waits_.IsDone(future)) {
    task.state = PythonTaskState::kWaiting;
    task.waits_for.future = future;
  } else {
    task.state = PythonTaskState::kRunnable;
  }
  ReadStack(heap_.Word(address + offsets.task_coroutine),
            running != thread_of_task_.end() ? &interpreter.threads[running->second] : nullptr,
            task);
  return task;
}

Address TaskReader::NameRunning(InterpreterView& interpreter) {
  thread_of_loop_.clear();
  thread_of_task_.clear();
  const Address modules = heap_.Word(interpreter.address + heap_.offsets().interp_modules);
  const Address module = heap_.DictGet(modules, "asyncio.tasks");
  const Address module_dict = module != 0 ? heap_.Word(module + kModuleDict) : 0;
  FindRunning(interpreter, module_dict);
  return module_dict;
}

void TaskReader::ReadAgain(const std::vector<Address>& torn, const InterpreterView& interpreter,
                           Address module_dict, std::vector<PythonTask>& tasks) {
  const auto listed = List(interpreter, module_dict);
  for (const Address address : torn) {
    if (!std::binary_search(listed.begin(), listed.end(), address)) continue;
    if (heap_.KindOf(address) != Kind::kTask) {
      heap_.skips().Add("task of another implementation, or not readable");
      continue;
    }
    tasks.push_back(ReadTask(address, interpreter));
  }
}

void TaskReader::Read(InterpreterView& interpreter, const std::function<void()>& forget,
                      std::vector<PythonTask>& tasks) {
  const Address module_dict = NameRunning(interpreter);
  waits_.SetInterpreter(heap_.Word(interpreter.address + heap_.offsets().interp_modules));
  const auto addresses = List(interpreter, module_dict);
  tasks.reserve(tasks.size() + addresses.size());
  std::vector<Address> torn;
  for (const Address address : addresses) {
    if (heap_.KindOf(address) != Kind::kTask) {
      torn.push_back(address);
      continue;
    }
    tasks.push_back(ReadTask(address, interpreter));
  }
  if (torn.empty()) return;
  forget();
  ReadAgain(torn, interpreter, module_dict, tasks);
}

}  // namespace ct::cpython
