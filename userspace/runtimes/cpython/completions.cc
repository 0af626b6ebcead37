#include "runtimes/cpython/completions.h"

#include <algorithm>

namespace ct::cpython {
namespace {

constexpr std::string_view kExecutor = "/concurrent/futures/thread.py";
constexpr std::string_view kAnyioWorker = "/anyio/_backends/_asyncio.py";
constexpr std::string_view kQueue = "/queue.py";
constexpr std::size_t kMaxQueued = 1 << 16;
constexpr std::size_t kMaxReady = 1 << 16;
constexpr std::size_t kMaxCallbacks = 64;
constexpr std::size_t kMaxFields = 256;  // of an object of uvloop's; its loop has some eighty
constexpr std::uint64_t kFirstField = 16;

// PyFunctionObject.func_closure and PyCellObject.ob_ref, 3.11 to 3.15.
constexpr std::uint64_t kFunctionClosure = 72;
constexpr std::uint64_t kCellContents = 16;

// simplequeueobject of Modules/_queuemodule.c. Up to 3.12 a list and where its first item is:
constexpr std::uint64_t kQueueList = 32;
constexpr std::uint64_t kQueuePosition = 40;
// then a ring.
constexpr std::uint64_t kRingFirst = 32;
constexpr std::uint64_t kRingItems = 40;
constexpr std::uint64_t kRingCapacity = 48;
constexpr std::uint64_t kRingCount = 56;

}  // namespace

PythonCompletion* CompletionReader::Wanted(Address future) {
  const auto found = found_.find(future);
  return found != found_.end() ? &found->second : nullptr;
}

void CompletionReader::Want(const PythonAwait& wait) {
  switch (wait.kind) {
    case PythonAwaitKind::kConcurrent:
    case PythonAwaitKind::kConcurrentAll:
    case PythonAwaitKind::kConcurrentAny:
      for (const Address future : wait.children) found_[future].future = future;
      break;
    case PythonAwaitKind::kUnknown:
      unknown_.insert(wait.future);
      break;
    default:
      break;
  }
}

std::vector<Address> CompletionReader::Closure(Address function) {
  std::vector<Address> contents;
  if (heap_.KindOf(function) != Kind::kFunction) return contents;
  for (const Address cell :
       heap_.Elements(heap_.Word(function + kFunctionClosure), kMaxCallbacks)) {
    contents.push_back(heap_.Word(cell + kCellContents));
  }
  return contents;
}

// A worker of anyio.to_thread, as of every endpoint of FastAPI and Starlette that is no coroutine:
// it keeps the future of its last call, so it must be in the middle of one.
void CompletionReader::ReadAnyioWorker(const ThreadView& view) {
  for (std::size_t i = 1; i < view.frames.size(); ++i) {
    const FrameView& frame = view.frames[i];
    if (frame.code->function != "WorkerThread.run") continue;
    if (!codes_.FileOf(*frame.code).ends_with(kAnyioWorker)) continue;
    if (codes_.FileOf(*view.frames[i - 1].code).ends_with(kQueue)) return;
    const Address future = frames_.Local(frame, "future");
    if (unknown_.count(future) == 0) return;
    PythonCompletion& completion = found_[future];
    completion.future = future;
    completion.threads = {view.thread.native_id};
    return;
  }
}

void CompletionReader::ReadWorker(const ThreadView& view) {
  for (const FrameView& frame : view.frames) {
    const bool runs = frame.code->function == "_WorkItem.run";
    if (!runs && frame.code->function != "_worker") continue;
    if (!codes_.FileOf(*frame.code).ends_with(kExecutor)) continue;
    if (runs) {
      const Address item = frames_.Local(frame, "self");
      if (PythonCompletion* completion = Wanted(heap_.Attribute(item, "future"))) {
        completion->threads.push_back(view.thread.native_id);
      }
    } else if (const Address queue = frames_.Local(frame, "work_queue")) {
      workers_[queue].push_back(view.thread.native_id);
    }
  }
}

std::vector<Address> CompletionReader::QueuedItems(Address queue) {
  std::vector<Address> items;
  const Type* type = heap_.TypeOf(queue);
  if (type == nullptr || type->name != "_queue.SimpleQueue") return items;
  if (!heap_.IsAtLeast(13)) {
    items = heap_.Elements(heap_.Word(queue + kQueueList), kMaxQueued);
    const auto done = std::min<std::uint64_t>(heap_.Word(queue + kQueuePosition), items.size());
    items.erase(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(done));
    return items;
  }
  const std::uint64_t capacity = heap_.Word(queue + kRingCapacity);
  const std::uint64_t count = heap_.Word(queue + kRingCount);
  const Address first = heap_.Word(queue + kRingItems);
  const std::uint64_t begin = heap_.Word(queue + kRingFirst);
  if (capacity == 0 || count > capacity || begin >= capacity) return items;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(count, kMaxQueued); ++i) {
    items.push_back(heap_.Word(first + (begin + i) % capacity * sizeof(Address)));
  }
  return items;
}

void CompletionReader::ReadQueue(Address queue, const std::vector<pid_t>& workers) {
  for (const Address item : QueuedItems(queue)) {
    PythonCompletion* completion = Wanted(heap_.Attribute(item, "future"));
    if (completion == nullptr) continue;
    if (workers.size() > workers_left_) {
      heap_.skips().Add("workers beyond the limit");
      return;
    }
    workers_left_ -= workers.size();
    completion->queued = true;
    completion->threads = workers;
  }
}

std::vector<Address> CompletionReader::Fields(Address object, const Type& type) {
  const std::uint64_t size = std::max(type.basic_size, kFirstField) - kFirstField;
  std::vector<Address> words(std::min<std::uint64_t>(size / sizeof(Address), kMaxFields));
  if (!heap_.Read(object + kFirstField, std::as_writable_bytes(std::span(words)))) words.clear();
  return words;
}

// uvloop's objects are C structures whose fields move from one version to the next: its queue is
// the deque of Handles that one of the loop's fields refers to, and what a Handle calls is the
// function that one of its fields refers to.
std::vector<Address> CompletionReader::CalledNextByUvloop(Address loop, const Type& type) {
  std::vector<Address> functions;
  for (const Address queue : Fields(loop, type)) {
    if (heap_.KindOf(queue) != Kind::kDeque) continue;
    for (const Address handle : heap_.Elements(queue, kMaxReady)) {
      const Type* handle_type = heap_.TypeOf(handle);
      if (handle_type == nullptr || handle_type->name != "uvloop.loop.Handle") break;
      for (const Address field : Fields(handle, *handle_type)) {
        if (heap_.KindOf(field) == Kind::kFunction) functions.push_back(field);
      }
    }
  }
  return functions;
}

std::vector<Address> CompletionReader::CalledNext(Address loop) {
  const Type* type = heap_.TypeOf(loop);
  if (type != nullptr && heap_.DerivesFrom(*type, "uvloop.loop.Loop")) {
    return CalledNextByUvloop(loop, *type);
  }
  std::vector<Address> functions;
  for (const Address handle : heap_.Elements(heap_.Attribute(loop, "_ready"), kMaxReady)) {
    functions.push_back(heap_.Attribute(handle, "_callback"));
  }
  return functions;
}

// Of run_coroutine_threadsafe(): its future is in the closure of what the loop will call soon.
void CompletionReader::ReadLoop(const PythonThread& thread) {
  if (thread.running_loop == 0) return;
  for (const Address function : CalledNext(thread.running_loop)) {
    for (const Address value : Closure(function)) {
      if (PythonCompletion* completion = Wanted(value)) {
        completion->threads.push_back(thread.native_id);
      }
    }
  }
}

// Once it has been called, the future's own callback knows the task that it goes with.
void CompletionReader::ReadChain(Address future) {
  for (const Address callback :
       heap_.Elements(heap_.Attribute(future, "_done_callbacks"), kMaxCallbacks)) {
    for (const Address source : Closure(callback)) {
      if (heap_.KindOf(source) != Kind::kTask) continue;
      found_[future].tasks.push_back(source);
    }
  }
}

std::vector<PythonCompletion> CompletionReader::Read(
    const std::vector<InterpreterView>& interpreters, const std::vector<PythonTask>& tasks) {
  for (const PythonTask& task : tasks) Want(task.waits_for);
  for (const InterpreterView& interpreter : interpreters) {
    for (const ThreadView& view : interpreter.threads) Want(view.thread.waits_for);
  }
  if (found_.empty() && unknown_.empty()) return {};
  for (const InterpreterView& interpreter : interpreters) {
    for (const ThreadView& view : interpreter.threads) {
      ReadWorker(view);
      ReadAnyioWorker(view);
    }
  }
  for (const auto& [queue, workers] : workers_) ReadQueue(queue, workers);
  for (const InterpreterView& interpreter : interpreters) {
    for (const ThreadView& view : interpreter.threads) ReadLoop(view.thread);
  }
  std::vector<PythonCompletion> completions;
  for (auto& [future, completion] : found_) {
    if (completion.threads.empty()) ReadChain(future);
    if (completion.threads.empty() && completion.tasks.empty()) continue;
    completions.push_back(std::move(completion));
  }
  std::sort(completions.begin(), completions.end(),
            [](const auto& a, const auto& b) { return a.future < b.future; });
  return completions;
}

}  // namespace ct::cpython
