#include "runtimes/cpython/pool_waits.h"

#include <algorithm>
#include <string_view>

namespace ct::cpython {
namespace {

constexpr std::size_t kNearFrames = 64;  // between who waits and the method of the pool
constexpr std::size_t kMaxPools = 64;
constexpr std::size_t kMaxOwned = 1 << 16;
constexpr std::size_t kMaxAttributes = 256;
constexpr int kOwnedHops =
    2;                        // SQLAlchemy: QueuePool._pool._queue; psycopg_pool: _waiting[i]._cond
constexpr int kMaxDepth = 8;  // of containers in containers

bool IsContainer(Kind kind) {
  return kind == Kind::kList || kind == Kind::kTuple || kind == Kind::kSet ||
         kind == Kind::kDeque || kind == Kind::kDict;
}

// What somebody sleeps on until a unit is given back. A pool's lock is taken for moments, and its
// events tell of other things. psycopg_pool has a class of its own derived from one.
bool IsPrimitive(Heap& heap, const Type& type) {
  static constexpr std::string_view kPrimitives[] = {"asyncio.locks.Condition",
                                                     "asyncio.locks.Semaphore",
                                                     "asyncio.locks.BoundedSemaphore",
                                                     "asyncio.queues.Queue",
                                                     "asyncio.queues.LifoQueue",
                                                     "asyncio.queues.PriorityQueue",
                                                     "threading.Condition",
                                                     "threading.Semaphore",
                                                     "threading.BoundedSemaphore",
                                                     "queue.Queue",
                                                     "queue.LifoQueue",
                                                     "queue.PriorityQueue",
                                                     "sqlalchemy.util.queue.Queue"};
  return std::any_of(std::begin(kPrimitives), std::end(kPrimitives),
                     [&](std::string_view name) { return heap.DerivesFrom(type, name); });
}

// Waits until everything has been given back, not for one unit.
bool IsClosing(std::string_view function) {
  return function.find("close") != std::string_view::npos ||
         function.find("terminate") != std::string_view::npos;
}

}  // namespace

void PoolFinder::AddOwned(Address value, int hops, int depth, std::unordered_set<Address>& owned) {
  const Type* type = heap_.TypeOf(value);
  if (type == nullptr || owned.size() >= kMaxOwned || owned.count(value) != 0) return;
  if (IsContainer(type->kind)) {
    owned.insert(value);
    for (const Address element : heap_.SomeElements(value, kMaxOwned)) {
      if (depth < kMaxDepth) AddOwned(element, hops, depth + 1, owned);
    }
    return;
  }
  if (type->kind == Kind::kFuture || type->kind == Kind::kTask) {
    owned.insert(value);
    return;
  }
  if (type->kind != Kind::kOther) return;
  owned.insert(value);
  if (IsPrimitive(heap_, *type) || hops >= kOwnedHops) return;
  for (const Address inner : heap_.AttributeValues(value, kMaxAttributes)) {
    AddOwned(inner, hops + 1, 0, owned);
  }
}

bool PoolFinder::Owns(Address pool, Address primitive) {
  const auto [entry, is_new] = owned_.try_emplace(pool);
  if (is_new) {
    // Connections have conditions and futures of their own.
    const auto& account = accounts_.at(pool);
    for (const auto& [object, unit] : account.units) entry->second.insert(object);
    for (const Address unit : account.idle) entry->second.insert(unit);
    for (const Address value : heap_.AttributeValues(pool, kMaxAttributes)) {
      AddOwned(value, 1, 0, entry->second);
    }
    for (const auto& [object, unit] : account.units) entry->second.erase(object);
    for (const Address unit : account.idle) entry->second.erase(unit);
  }
  return entry->second.count(primitive) != 0;
}

bool PoolFinder::KeepsAccount(Address object) {
  if (accounts_.count(object) != 0) return true;
  if (accounts_.size() >= kMaxPools) return false;
  auto account = ReadPoolAccount(heap_, object);
  if (!account) return false;
  accounts_.emplace(object, std::move(*account));
  return true;
}

Address PoolFinder::PoolOf(const std::vector<PythonFrame>& frames, Address primitive) {
  for (std::size_t i = 0; i < std::min(frames.size(), kNearFrames); ++i) {
    const auto view = frames_.At(frames[i].address);
    if (!view || view->code == nullptr) continue;
    for (const char* const name : {"self", "pool"}) {
      const Address object = frames_.Local(*view, name);
      const Type* type = heap_.TypeOf(object);
      if (type == nullptr || type->kind != Kind::kOther || IsPrimitive(heap_, *type)) continue;
      if (!KeepsAccount(object)) continue;
      if (object != primitive && !Owns(object, primitive)) continue;
      if (IsClosing(view->code->function)) return 0;
      return object;
    }
  }
  return 0;
}

void PoolFinder::IndexWaiters(const PythonProcess& process) {
  for (std::size_t i = 0; i < process.tasks.size(); ++i) {
    const PythonAwait& wait = process.tasks[i].waits_for;
    if (wait.kind != PythonAwaitKind::kOne) continue;
    for (const Address child : wait.children) awaited_by_[child].push_back(i);
  }
}

Address PoolFinder::PrimitiveOf(const PythonAwait& wait) {
  if (wait.kind == PythonAwaitKind::kObject) {
    const Type* type = heap_.TypeOf(wait.object);
    // A future among the waiters of a pool itself, or of one of the primitives in it.
    return type != nullptr && (IsPrimitive(heap_, *type) || KeepsAccount(wait.object)) ? wait.object
                                                                                       : 0;
  }
  return wait.kind == PythonAwaitKind::kUnknown ? wait.future : 0;
}

bool PoolFinder::IsOfPool(const FrameView& frame, Address pool) {
  const Address self = frames_.Local(frame, "self");
  if (self == pool || self == 0) return self != 0;
  const std::string_view function = frame.code->function;
  if (!function.ends_with(".__enter__") && !function.ends_with(".__aenter__") &&
      !function.ends_with(".__await__")) {
    return false;
  }
  const auto values = heap_.AttributeValues(self, kMaxAttributes);
  return std::find(values.begin(), values.end(), pool) != values.end();
}

bool PoolFinder::MarkFrames(Address pool, std::vector<PythonFrame>& frames) {
  for (PythonFrame& frame : frames) {
    const auto view = frames_.At(frame.address);
    if (!view || view->code == nullptr) return false;
    frame.of_pool = IsOfPool(*view, pool);
    // Between its own frames are those of what it waits with.
    if (!frame.of_pool && !IsLibraryFile(codes_.FileOf(*view->code))) return false;
  }
  return true;
}

Address PoolFinder::PoolOf(const std::vector<PythonFrame>& frames, const PythonAwait& wait) {
  const Address primitive = PrimitiveOf(wait);
  const Address pool = primitive != 0 ? PoolOf(frames, primitive) : 0;
  if (pool != 0) return pool;
  const Address candidate = circulation_.CandidateOf(frames, wait);
  if (candidate != 0 && accounts_.count(candidate) == 0) {
    accounts_.emplace(candidate, circulation_.AccountOf(candidate));
  }
  return candidate;
}

void PoolFinder::OfTask(PythonProcess& process, PythonTask& task) {
  Address pool = PoolOf(task.frames, task.waits_for);
  // wait_for() of 3.11 makes a task of what it waits for: the pool's frames are its caller's.
  const auto callers = awaited_by_.find(task.address);
  const bool has_caller = callers != awaited_by_.end() && callers->second.size() == 1;
  if (pool == 0 && has_caller) {
    pool = PoolOf(process.tasks[callers->second.front()].frames, task.waits_for);
  }
  if (pool == 0) return;
  task.waits_for.pool = pool;
  if (MarkFrames(pool, task.frames) && has_caller) {
    MarkFrames(pool, process.tasks[callers->second.front()].frames);
  }
}

void PoolFinder::OfThread(PythonThread& thread) {
  const Address pool = PoolOf(thread.frames, thread.waits_for);
  if (pool == 0) return;
  thread.waits_for.pool = pool;
  MarkFrames(pool, thread.frames);
}

void PoolFinder::Take(const std::vector<PythonFrame>& frames, PythonUnitHolder holder) {
  for (const CirculationReader::Taken& taken : circulation_.TakenBy(frames)) {
    const auto account = accounts_.find(taken.pool);
    if (account == accounts_.end()) continue;
    auto& holders = account->second.taken[taken.unit];
    const bool known = std::any_of(holders.begin(), holders.end(), [&](const auto& other) {
      return other.task == holder.task && other.thread == holder.thread;
    });
    if (known || taken.given_back) continue;
    holder.frame = taken.frame;
    holder.in_block = taken.in_block;
    holders.push_back(holder);
  }
}

void PoolFinder::SetUnitType(PoolAccount& account) {
  for (const auto& [unit, holders] : account.taken) {
    const Type* type = heap_.TypeOf(unit);
    // Those of the language may be anything.
    const bool tells =
        type != nullptr && type->kind == Kind::kOther && type->name.find('.') != std::string::npos;
    if (!tells || (account.unit_type != 0 && account.unit_type != type->address)) {
      account.unit_type = 0;
      return;
    }
    account.unit_type = type->address;
  }
}

void PoolFinder::SettleInferred(PythonProcess& process) {
  const bool any = std::any_of(accounts_.begin(), accounts_.end(),
                               [](const auto& account) { return account.second.inferred; });
  if (!any) return;
  for (const PythonTask& task : process.tasks) Take(task.frames, {task.address, 0, 0, 0, false});
  for (const PythonThread& thread : process.threads) {
    if (thread.running_task == 0) Take(thread.frames, {0, thread.address, 0, 0, false});
  }
  std::unordered_set<Address> none;
  for (auto& [pool, account] : accounts_) {
    if (!account.inferred) continue;
    std::unordered_set<Address> units;
    for (const auto& [unit, holders] : account.taken) units.insert(unit);
    if (circulation_.IsPool(pool, units)) {
      SetUnitType(account);
    } else {
      none.insert(pool);
    }
  }
  Forget(none, process);
}

void PoolFinder::Forget(const std::unordered_set<Address>& pools, PythonProcess& process) {
  const auto forget = [&](PythonAwait& wait, std::vector<PythonFrame>& frames) {
    if (pools.count(wait.pool) == 0) return;
    wait.pool = 0;
    for (PythonFrame& frame : frames) frame.of_pool = false;
  };
  for (PythonTask& task : process.tasks) {
    const Address pool = task.waits_for.pool;
    forget(task.waits_for, task.frames);
    const auto callers = awaited_by_.find(task.address);
    if (task.waits_for.pool == pool || callers == awaited_by_.end()) continue;
    for (const std::size_t caller : callers->second) {
      for (PythonFrame& frame : process.tasks[caller].frames) frame.of_pool = false;
    }
  }
  for (PythonThread& thread : process.threads) forget(thread.waits_for, thread.frames);
}

void PoolFinder::Find(PythonProcess& process) {
  IndexWaiters(process);
  for (PythonTask& task : process.tasks) {
    if (task.state == PythonTaskState::kWaiting) OfTask(process, task);
  }
  for (PythonThread& thread : process.threads) OfThread(thread);
  SettleInferred(process);
  std::unordered_set<Address> known;
  const auto add = [&](const PythonAwait& wait) {
    if (wait.pool != 0 && known.insert(wait.pool).second) pools_.push_back(wait.pool);
  };
  for (const PythonTask& task : process.tasks) add(task.waits_for);
  for (const PythonThread& thread : process.threads) add(thread.waits_for);
}

}  // namespace ct::cpython
