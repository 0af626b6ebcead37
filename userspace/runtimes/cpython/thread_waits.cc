// The kernel says on which word a thread sleeps. The lock that it belongs to is found where the
// call was made from: among the operands and locals of the innermost frames. What the lock is to
// the program is told by the frames of the standard library around the call: a Condition, an Event
// and a Future all wait by acquiring a lock that is already taken.
#include "runtimes/cpython/thread_waits.h"

#include <algorithm>
#include <array>

#include "runtimes/cpython/thread_locks.h"

namespace ct::cpython {
namespace {

constexpr std::uint64_t kModuleDict = 16;  // PyModuleObject.md_dict
constexpr std::uint64_t kMethodSelf = 24;  // PyCFunctionObject.m_self
// PyObject* of a thread's handle to its ThreadHandle, whose fields are within so many bytes
// (Modules/_threadmodule.c, 3.13 to 3.15).
constexpr std::uint64_t kThreadHandle = 16;
constexpr std::uint64_t kThreadHandleSize = 96;

constexpr std::size_t kMaxThreads = 4096;
constexpr std::size_t kMaxName = 256;
constexpr std::size_t kNearFrames = 2;  // who may have called acquire()
constexpr std::size_t kMaxAttributes = 256;
constexpr std::size_t kMaxFutures = 1 << 16;
constexpr int kMaxDepth = 1;  // self._lock

constexpr std::string_view kThreading = "/threading.py";
constexpr std::string_view kQueue = "/queue.py";
constexpr std::string_view kFutures = "/concurrent/futures/_base.py";

}  // namespace

bool ThreadWaitReader::Is(const FrameView& frame, std::string_view function,
                          std::string_view file) {
  return frame.code->function == function && codes_.FileOf(*frame.code).ends_with(file);
}

void ThreadWaitReader::ListThreads(InterpreterView& interpreter) {
  threads_.clear();
  const Address modules = heap_.Word(interpreter.address + heap_.offsets().interp_modules);
  const Address module = heap_.DictGet(modules, "threading");
  if (module == 0) return;
  std::unordered_map<std::uint64_t, ThreadView*> views;
  for (ThreadView& view : interpreter.threads) views.emplace(view.thread.ident, &view);
  const Address active = heap_.DictGet(heap_.Word(module + kModuleDict), "_active");
  heap_.ForEachItem(active, kMaxThreads, [&](Address key, Address object) {
    ThreadObject thread;
    thread.object = object;
    thread.ident = static_cast<std::uint64_t>(heap_.Int(key).value_or(0));
    if (!heap_.IsAtLeast(13)) {
      thread.end = heap_.Attribute(object, "_tstate_lock");
    } else {
      Address handle = heap_.Attribute(object, "_handle");
      if (handle == 0) handle = heap_.Attribute(object, "_os_thread_handle");  // 3.14
      thread.end = handle != 0 ? heap_.Word(handle + kThreadHandle) : 0;
    }
    const auto view = views.find(thread.ident);
    if (view != views.end()) {
      view->second->thread.name =
          heap_.Str(heap_.Attribute(object, "_name"), kMaxName).value_or("");
    }
    threads_.push_back(thread);
    return true;
  });
}

bool ThreadWaitReader::IsJoin(Address word, const Frames& frames, PythonAwait& wait) {
  const Address parked_for = ParkedFor(heap_, word);
  const auto ends = [&](const ThreadObject& thread) {
    if (thread.end == 0) return false;
    if (!heap_.IsAtLeast(13)) return WaitsInLock(heap_, thread.end, word);
    return parked_for >= thread.end && parked_for < thread.end + kThreadHandleSize;
  };
  const auto found = std::find_if(threads_.begin(), threads_.end(), ends);
  // One that is about to end is not listed any more.
  const bool joins =
      found != threads_.end() ||
      (!frames.empty() && (Is(frames.front(), "Thread._wait_for_tstate_lock", kThreading) ||
                           Is(frames.front(), "_shutdown", kThreading) ||
                           (heap_.IsAtLeast(13) && Is(frames.front(), "Thread.join", kThreading))));
  if (!joins) return false;
  wait.kind = PythonAwaitKind::kThread;
  wait.future = word;
  if (found != threads_.end()) {
    wait.object = found->object;
    wait.children = {found->ident};
  }
  return true;
}

Address ThreadWaitReader::LockIn(Address value, Address word, int depth) {
  if (value == 0 || values_left_ == 0) return 0;
  if (--values_left_ == 0) heap_.skips().Add("values in which a lock is looked for");
  if (WaitsInLock(heap_, value, word)) return value;
  const Kind kind = heap_.KindOf(value);
  if (kind == Kind::kBuiltinMethod) return LockIn(heap_.Word(value + kMethodSelf), word, kMaxDepth);
  if (kind != Kind::kOther || depth >= kMaxDepth) return 0;
  Address found = 0;
  heap_.ForEachAttribute(value, kMaxAttributes, [&](const std::string&, Address attribute) {
    found = LockIn(attribute, word, depth + 1);
    return found == 0;
  });
  return found;
}

Address ThreadWaitReader::FindLock(Address word, const Frames& frames) {
  // A call's operands stay on the stack while it lasts. What lies above may be left over from
  // earlier calls: the word tells.
  for (std::size_t i = 0; i < std::min(frames.size(), kNearFrames); ++i) {
    const FrameView& frame = frames[i];
    const std::uint32_t end = frame.code->locals + frame.code->stack_size;
    for (std::uint32_t slot = 0; slot < end; ++slot) {
      const Address found = LockIn(frames_.LocalAt(frame, slot), word, 0);
      if (found != 0) return found;
    }
  }
  return 0;
}

void ThreadWaitReader::SetObject(Address object, std::string_view attribute, PythonAwait& wait) {
  const Type* type = heap_.TypeOf(object);
  if (type == nullptr) return;
  wait.kind = PythonAwaitKind::kObject;
  wait.type = type->name;
  wait.object = object;
  wait.attribute = attribute;
}

std::vector<Address> ThreadWaitReader::Pending(Address futures) {
  std::vector<Address> pending;
  const auto all = heap_.Elements(futures, std::min<std::uint64_t>(kMaxFutures, futures_left_));
  futures_left_ -= all.size();
  if (futures_left_ == 0) heap_.skips().Add("futures beyond the limit");
  for (const Address future : all) {
    const auto state = heap_.Str(heap_.Attribute(future, "_state"), kMaxName);
    if (state == "PENDING" || state == "RUNNING") pending.push_back(future);
  }
  std::sort(pending.begin(), pending.end());  // a set's order means nothing
  return pending;
}

bool ThreadWaitReader::IsWaitForFutures(const FrameView& frame, PythonAwait& wait) {
  if (Is(frame, "wait", kFutures)) {
    const auto condition = heap_.Str(frames_.Local(frame, "return_when"), kMaxName);
    // The first exception may end it, which any of them may raise.
    wait.kind = condition == "ALL_COMPLETED" ? PythonAwaitKind::kConcurrentAll
                                             : PythonAwaitKind::kConcurrentAny;
    wait.children = Pending(frames_.Local(frame, "fs"));
  } else if (Is(frame, "as_completed", kFutures)) {
    wait.kind = PythonAwaitKind::kConcurrentAny;
    wait.children = Pending(frames_.Local(frame, "pending"));
  } else {
    return false;
  }
  wait.type.clear();
  wait.object = 0;
  wait.attribute.clear();
  return true;
}

void ThreadWaitReader::DescribeEvent(const Frames& frames, PythonAwait& wait) {
  const Address condition = frames_.Local(frames.front(), "self");
  SetObject(condition, "_waiters", wait);
  std::size_t i = 1;
  while (i < frames.size() && Is(frames[i], "Condition.wait_for", kThreading)) ++i;
  if (i >= frames.size()) return;
  const FrameView& caller = frames[i];
  const Address self = frames_.Local(caller, "self");
  if (Is(caller, "Event.wait", kThreading)) {
    SetObject(self, "_cond", wait);
    if (i + 1 < frames.size()) IsWaitForFutures(frames[i + 1], wait);
  } else if (Is(caller, "Semaphore.acquire", kThreading) ||
             Is(caller, "Barrier._wait", kThreading) || Is(caller, "Barrier._enter", kThreading)) {
    SetObject(self, "_cond", wait);
  } else if (Is(caller, "Queue.get", kQueue) || Is(caller, "Queue.put", kQueue) ||
             Is(caller, "Queue.join", kQueue)) {
    for (const char* const name : {"not_empty", "not_full", "all_tasks_done"}) {
      if (heap_.Attribute(self, name) == condition) SetObject(self, name, wait);
    }
  } else if (Is(caller, "Future.result", kFutures) || Is(caller, "Future.exception", kFutures)) {
    wait = {PythonAwaitKind::kConcurrent, wait.future, {self}, "", 0, ""};
  }
}

void ThreadWaitReader::ReadDeadline(const FutexSleep& call, PythonThread& thread) {
  thread.timed = call.timeout_at != 0;
  if (!thread.timed || !call.monotonic) return;
  std::array<std::int64_t, 2> time{};  // struct timespec
  if (!heap_.Read(call.timeout_at, std::as_writable_bytes(std::span(time)))) return;
  thread.deadline = static_cast<double>(time[0]) + static_cast<double>(time[1]) * 1e-9;
}

void ThreadWaitReader::ReadLockAt(Address lock) {
  const Type* type = heap_.TypeOf(lock);
  auto state = type != nullptr ? ReadLock(heap_, lock, *type) : std::nullopt;
  if (!state) return;
  if (!idents_.contains(state->owner) && MayLive(heap_, state->owner)) state->owner = 0;
  locks_[lock] = *state;
}

void ThreadWaitReader::Describe(const FutexSleep& call, const std::vector<PythonGil>& gils,
                                ThreadView& view) {
  PythonAwait& wait = view.thread.waits_for;
  for (const PythonGil& gil : gils) {
    if (call.word < gil.address || call.word - gil.address >= gil.size) continue;
    wait.kind = PythonAwaitKind::kGil;  // every few milliseconds it asks for it again
    wait.object = gil.address;
    return;
  }
  ReadDeadline(call, view.thread);
  if (IsJoin(call.word, view.frames, wait)) return;
  const Address lock = FindLock(call.word, view.frames);
  if (lock == 0) {
    wait.kind = PythonAwaitKind::kUnknown;
    wait.future = call.word;
    return;
  }
  wait.future = lock;
  // Condition.wait() acquires a lock of its own until somebody releases it.
  if (Is(view.frames.front(), "Condition.wait", kThreading) &&
      frames_.Local(view.frames.front(), "waiter") == lock) {
    DescribeEvent(view.frames, wait);
    return;
  }
  SetObject(lock, "", wait);
  ReadLockAt(lock);
}

void ThreadWaitReader::Read(const FutexCalls& futexes, const std::vector<PythonGil>& gils,
                            InterpreterView& interpreter) {
  ListThreads(interpreter);
  idents_.clear();
  for (const ThreadView& view : interpreter.threads) idents_.insert(view.thread.ident);
  for (ThreadView& view : interpreter.threads) {
    const auto call = futexes.find(view.thread.native_id);
    if (call != futexes.end()) Describe(call->second, gils, view);
  }
}

std::vector<PythonLock> ThreadWaitReader::TakeLocks() {
  std::vector<PythonLock> locks;
  for (const auto& [address, lock] : locks_) locks.push_back(lock);
  std::sort(locks.begin(), locks.end(),
            [](const PythonLock& a, const PythonLock& b) { return a.address < b.address; });
  return locks;
}

}  // namespace ct::cpython
