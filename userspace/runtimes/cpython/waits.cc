#include "runtimes/cpython/waits.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace ct::cpython {
namespace {

constexpr std::size_t kNearFrames = 3;  // whose locals may name what is waited for
// asyncio's Event.wait(), anyio's Event.wait(), Lock.acquire().
constexpr std::size_t kFramesOfALock = 4;
// The methods of anyio's locks that wait for an Event, and where those who wait are kept. The Lock
// and the Semaphore of anyio 4 keep futures.
struct OuterLock {
  std::string_view function;
  std::string_view waiters;
};
constexpr auto kOuterLocks = std::to_array<OuterLock>({
    {"Lock.acquire", "_waiters"},
    {"Semaphore.acquire", "_waiters"},
    {"Condition.wait", "_waiters"},
    {"CapacityLimiter.acquire_on_behalf_of", "_wait_queue"},
});
constexpr std::size_t kMaxLocals = 64;
constexpr std::size_t kMaxAttributes = 256;
constexpr std::size_t kMaxElements = 1 << 18;
constexpr std::size_t kMaxCallbacks = 64;
constexpr int kMaxDepth = 2;  // aiohttp keeps a dict of deques of waiters

// FutureObj of Modules/_asynciomodule.c, PyFunctionObject and PyCellObject, 3.11 to 3.15.
constexpr std::uint64_t kFirstCallback = 24;
constexpr std::uint64_t kCallbacks = 40;
constexpr std::uint64_t kIteratorFuture = 16;  // futureiterobject.future
// PyObject.ob_type and PyTypeObject.tp_weaklistoffset (cpython/object.h), 3.11 to 3.15; negative:
// before the object.
constexpr std::uint64_t kObjectType = 8;
constexpr std::uint64_t kTypeWeakListOffset = 208;
constexpr std::uint64_t kFunctionClosure = 72;
constexpr std::uint64_t kCellContents = 16;
constexpr std::int32_t kPending = 0;  // STATE_PENDING

bool IsFuture(Kind kind) { return kind == Kind::kFuture || kind == Kind::kTask; }

bool IsContainer(Kind kind) {
  return kind == Kind::kList || kind == Kind::kTuple || kind == Kind::kSet ||
         kind == Kind::kDeque || kind == Kind::kDict;
}

}  // namespace

bool WaitReader::IsDone(Address future) {
  const auto state = heap_.Value<std::int32_t>(future + heap_.offsets().task_state);
  return IsFuture(heap_.KindOf(future)) && state && *state != kPending;
}

std::vector<Address> WaitReader::Elements(Address container) {
  auto elements = heap_.Elements(container, std::min<std::uint64_t>(kMaxElements, elements_left_));
  elements_left_ -= elements.size();
  if (elements_left_ == 0) heap_.skips().Add("containers of waiters beyond the limit");
  return elements;
}

void WaitReader::SetPending(const std::vector<Address>& children, PythonAwaitKind kind,
                            PythonAwait& wait) {
  wait.kind = kind;
  for (const Address child : children) {
    if (!IsDone(child)) wait.children.push_back(child);
  }
  std::sort(wait.children.begin(), wait.children.end());  // a set's order means nothing
}

bool WaitReader::IsGroup(Address future, PythonAwait& wait) {
  const Type* type = heap_.TypeOf(future);
  if (type != nullptr && type->kind == Kind::kTask) {
    wait.kind = PythonAwaitKind::kOne;
    wait.children = {future};
    return true;
  }
  if (type == nullptr || type->name != "asyncio.tasks._GatheringFuture") return false;
  SetPending(Elements(heap_.Attribute(future, "_children")), PythonAwaitKind::kAll, wait);
  return true;
}

bool WaitReader::IsFunctionOfAsyncio(Address future, const FrameView& innermost,
                                     PythonAwait& wait) {
  const std::string& function = innermost.code->function;
  if (function == "sleep" && frames_.Local(innermost, "future") == future) {
    wait.kind = PythonAwaitKind::kSleep;
    return true;
  }
  if (frames_.Local(innermost, "waiter") != future) return false;
  if (function == "_wait") {  // of asyncio.wait()
    const auto condition = heap_.Str(frames_.Local(innermost, "return_when"), kMaxLocals);
    const bool all = condition && *condition == "ALL_COMPLETED";
    SetPending(Elements(frames_.Local(innermost, "fs")),
               all ? PythonAwaitKind::kAll : PythonAwaitKind::kAny, wait);
    return true;
  }
  if (function == "wait_for") {  // 3.11; later it waits for the future itself
    SetPending({frames_.Local(innermost, "fut")}, PythonAwaitKind::kOne, wait);
    return true;
  }
  return false;
}

void WaitReader::IndexValue(Address object, const std::string& attribute, Address value,
                            int depth) {
  const Kind kind = heap_.KindOf(value);
  if (IsFuture(kind)) {
    waitables_.try_emplace(value, Waitable{object, attribute});
    return;
  }
  if (!IsContainer(kind) || depth >= kMaxDepth || elements_left_ == 0) return;
  if (kind == Kind::kDict) IndexKeys(object, attribute, value);
  for (const Address element : Elements(value)) IndexValue(object, attribute, element, depth + 1);
}

// aiohttp 3.10 and later has its waiters as the keys of an OrderedDict.
void WaitReader::IndexKeys(Address object, const std::string& attribute, Address dict) {
  const auto most = std::min<std::uint64_t>(kMaxElements, elements_left_);
  heap_.ForEachItem(dict, most, [&](Address key, Address /*value*/) {
    if (IsFuture(heap_.KindOf(key))) waitables_.try_emplace(key, Waitable{object, attribute});
    --elements_left_;
    return elements_left_ > 0;
  });
}

void WaitReader::Index(Address object) {
  if (!indexed_.insert(object).second) return;
  heap_.ForEachAttribute(object, kMaxAttributes, [&](const std::string& name, Address value) {
    IndexValue(object, name, value, 0);
    if (elements_left_ > 0) --elements_left_;
    return elements_left_ > 0;
  });
}

bool WaitReader::IsObject(Address future, const std::vector<FrameView>& frames, PythonAwait& wait) {
  for (std::size_t i = 0; i < std::min(frames.size(), kNearFrames); ++i) {
    const std::size_t locals = std::min<std::size_t>(frames[i].code->locals, kMaxLocals);
    for (std::uint32_t slot = 0; slot < locals; ++slot) {
      const Address local = frames_.LocalAt(frames[i], slot);
      if (local != 0 && heap_.KindOf(local) == Kind::kOther) Index(local);
    }
    const auto found = waitables_.find(future);
    if (found == waitables_.end()) continue;
    const Type* type = heap_.TypeOf(found->second.object);
    if (type == nullptr) return false;
    if (type->name == "asyncio.taskgroups.TaskGroup" ||
        type->name == "anyio._backends._asyncio.TaskGroup") {
      SetPending(Elements(heap_.Attribute(found->second.object, "_tasks")), PythonAwaitKind::kAll,
                 wait);
    } else {
      wait.kind = PythonAwaitKind::kObject;
    }
    wait.type = type->name;
    wait.object = found->second.object;
    wait.attribute = found->second.attribute;
    return true;
  }
  return false;
}

// A callback that hands on somebody else's result has that somebody in its closure: _chain_future()
// of run_in_executor() and wrap_future(), shield().
bool WaitReader::FollowClosure(Address callback, PythonTask& task) {
  PythonAwait& wait = task.waits_for;
  if (heap_.KindOf(callback) != Kind::kFunction) return false;
  for (const Address cell :
       heap_.Elements(heap_.Word(callback + kFunctionClosure), kMaxCallbacks)) {
    const Address source = heap_.Word(cell + kCellContents);
    const Type* type = heap_.TypeOf(source);
    // From 3.14 on the task itself is in there too.
    if (type == nullptr || source == wait.future || source == task.address) continue;
    if (type->name == "concurrent.futures._base.Future") {
      wait.kind = PythonAwaitKind::kConcurrent;
    } else if (IsFuture(type->kind)) {
      wait.kind = PythonAwaitKind::kOne;
    } else {
      continue;
    }
    wait.children = {source};
    return true;
  }
  return false;
}

bool WaitReader::IsForwarded(Address future, PythonTask& task) {
  if (FollowClosure(heap_.Word(future + kFirstCallback), task)) return true;
  for (const Address entry : heap_.Elements(heap_.Word(future + kCallbacks), kMaxCallbacks)) {
    const auto parts = heap_.Elements(entry, 2);  // (callback, context)
    if (!parts.empty() && FollowClosure(parts[0], task)) return true;
  }
  return false;
}

void WaitReader::FindOuterLock(const std::vector<FrameView>& frames, PythonAwait& wait) {
  if (wait.type != "asyncio.locks.Event") return;
  for (std::size_t i = 0; i < std::min(frames.size(), kFramesOfALock); ++i) {
    const auto outer = std::find_if(kOuterLocks.begin(), kOuterLocks.end(), [&](const auto& lock) {
      return frames[i].code->function == lock.function;
    });
    if (outer == kOuterLocks.end()) continue;
    const Address self = frames_.Local(frames[i], "self");
    const Type* type = heap_.TypeOf(self);
    if (type == nullptr || !type->name.starts_with("anyio.")) continue;
    wait.type = type->name;
    wait.object = self;
    wait.attribute = outer->waiters;
    return;
  }
}

bool WaitReader::HasWeakReferences(Address object) {
  const Address type = heap_.Word(object + kObjectType);
  const auto offset = heap_.Value<std::int64_t>(type + kTypeWeakListOffset);
  return !offset || (*offset != 0 && heap_.Word(object + static_cast<Address>(*offset)) != 0);
}

bool WaitReader::IsUnreferenced(Address future, const std::vector<FrameView>& frames) {
  if (frames.empty()) return false;
  const Address iterator = frames_.Awaited(frames.front());
  const Type* type = heap_.TypeOf(iterator);
  if (type == nullptr || type->name != "_asyncio.FutureIter" ||
      heap_.Word(iterator + kIteratorFuture) != future) {
    return false;
  }
  std::uint32_t variables = 0;
  for (std::size_t i = 0; i < std::min(frames.size(), kNearFrames); ++i) {
    const std::size_t locals = std::min<std::size_t>(frames[i].code->locals, kMaxLocals);
    for (std::uint32_t slot = 0; slot < locals; ++slot) {
      // One in a cell may be somebody else's, too.
      if (frames_.Slot(frames[i], slot) == future) ++variables;
    }
  }
  // Of the iterator, and Task.task_fut_waiter. A weak one, in a table of calls that wait for their
  // answers, does not count, and may well complete it.
  return variables > 0 && heap_.Value<std::uint32_t>(future) == variables + 2 &&
         !HasWeakReferences(future);
}

void WaitReader::LowerDeadline(Address when, std::size_t frame, PythonTask& task) {
  const auto deadline = heap_.Float(when);
  if (!deadline || (task.deadline && *task.deadline <= *deadline)) return;
  task.deadline = deadline;
  task.deadline_frame = static_cast<std::uint32_t>(frame);
}

void WaitReader::NoteBegin(Address when, const std::vector<FrameView>& frames, std::size_t frame,
                           PythonTask& task) {
  if (frame >= frames.size()) return;
  const std::string& function = frames[frame].code->function;
  const bool sleeps = function == "sleep";
  if (!sleeps && function != "wait_for" && function != "_wait") return;
  const auto until = heap_.Float(when);
  const auto delay = heap_.Float(frames_.Local(frames[frame], sleeps ? "delay" : "timeout"));
  if (!until || !delay) return;
  const double began = *until - *delay;
  if (task.not_before && *task.not_before >= began) return;
  task.not_before = began;
  // Others that it calls may have waited for something else first.
  task.began_then = frame == 0;
}

void WaitReader::FindDeadline(const std::vector<FrameView>& frames, PythonTask& task) {
  for (std::size_t i = 0; i < task.frames.size(); ++i) {
    for (const PythonHold& hold : task.frames[i].holds) {
      if (hold.entering) continue;
      const Type* type = heap_.TypeOf(hold.object);
      // async_timeout's, of redis and aiopg, derives from it since async_timeout 5.
      const bool is_own = type != nullptr && heap_.DerivesFrom(*type, "asyncio.timeouts.Timeout");
      if (!is_own && hold.type != "async_timeout.Timeout") continue;
      const Address when = heap_.Attribute(hold.object, is_own ? "_when" : "_deadline");
      LowerDeadline(when, i, task);
      NoteBegin(when, frames, i, task);
    }
  }
  // The timers of sleep(), wait() and 3.11's wait_for().
  for (std::size_t i = 0; i < std::min(frames.size(), kNearFrames); ++i) {
    const std::size_t locals = std::min<std::size_t>(frames[i].code->locals, kMaxLocals);
    for (std::uint32_t slot = 0; slot < locals; ++slot) {
      const Address local = frames_.LocalAt(frames[i], slot);
      const Type* type = heap_.TypeOf(local);
      if (type == nullptr || type->name != "asyncio.events.TimerHandle") continue;
      if (heap_.Int(heap_.Attribute(local, "_cancelled")) != 0) continue;
      const Address when = heap_.Attribute(local, "_when");
      LowerDeadline(when, i, task);
      NoteBegin(when, frames, i, task);
    }
  }
}

void WaitReader::Describe(Address future, const std::vector<FrameView>& frames, PythonTask& task) {
  FindDeadline(frames, task);
  scopes_.LowerDeadline(task);
  PythonAwait& wait = task.waits_for;
  wait.future = future;
  if (IsGroup(future, wait)) return;
  if (!frames.empty() && IsFunctionOfAsyncio(future, frames.front(), wait)) return;
  if (IsObject(future, frames, wait)) return FindOuterLock(frames, wait);
  if (IsForwarded(future, task)) return;
  wait.kind = PythonAwaitKind::kUnknown;
  wait.unreferenced = IsUnreferenced(future, frames);
}

}  // namespace ct::cpython
