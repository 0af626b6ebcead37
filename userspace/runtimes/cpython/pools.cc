#include "runtimes/cpython/pools.h"

#include <algorithm>
#include <string_view>
#include <tuple>

namespace ct::cpython {
namespace {

constexpr std::size_t kNearFrames = 64;  // between who waits and the method of the pool
constexpr std::size_t kMaxPools = 64;
constexpr std::size_t kMaxOwned = 1 << 16;
constexpr std::size_t kMaxAttributes = 256;
constexpr int kOwnedHops =
    2;                        // SQLAlchemy: QueuePool._pool._queue; psycopg_pool: _waiting[i]._cond
constexpr int kMaxDepth = 8;  // of containers in containers
constexpr std::size_t kMaxLocals = 64;
constexpr std::uint64_t kModuleDict = 16;  // PyModuleObject.md_dict
constexpr std::size_t kMaxModules = 1 << 14;
constexpr std::size_t kMaxGlobals = 1 << 12;  // of one module
constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxPath = 4096;
constexpr std::size_t kMaxHolders = 16;  // of one unit that are kept

bool IsContainer(Kind kind) {
  return kind == Kind::kList || kind == Kind::kTuple || kind == Kind::kSet ||
         kind == Kind::kDeque || kind == Kind::kDict;
}

// What somebody sleeps on until a unit is given back. A pool's lock is taken for moments, and its
// events tell of other things.
bool IsPrimitive(const Type& type) {
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
  return std::find(std::begin(kPrimitives), std::end(kPrimitives), type.name) !=
         std::end(kPrimitives);
}

// Waits until everything has been given back, not for one unit.
bool IsClosing(std::string_view function) {
  return function.find("close") != std::string_view::npos ||
         function.find("terminate") != std::string_view::npos;
}

bool IsLibrary(std::string_view file) {
  return file.find("/lib/python3") != std::string_view::npos ||
         file.find("-packages/") != std::string_view::npos || file.starts_with("<frozen ");
}

bool IsRunning(const PythonTask& task) {
  return task.state != PythonTaskState::kFinished && task.state != PythonTaskState::kCancelled;
}

}  // namespace

void PoolReader::AddOwned(Address value, int hops, int depth, std::unordered_set<Address>& owned) {
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
  if (IsPrimitive(*type) || hops >= kOwnedHops) return;
  for (const Address inner : heap_.AttributeValues(value, kMaxAttributes)) {
    AddOwned(inner, hops + 1, 0, owned);
  }
}

bool PoolReader::Owns(Address pool, Address primitive) {
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

bool PoolReader::IsPool(Address object) {
  if (accounts_.count(object) != 0) return true;
  if (accounts_.size() >= kMaxPools) return false;
  auto account = ReadPoolAccount(heap_, object);
  if (!account) return false;
  accounts_.emplace(object, std::move(*account));
  return true;
}

Address PoolReader::PoolOf(const std::vector<PythonFrame>& frames, Address primitive) {
  for (std::size_t i = 0; i < std::min(frames.size(), kNearFrames); ++i) {
    const auto view = frames_.At(frames[i].address);
    if (!view || view->code == nullptr) continue;
    for (const char* const name : {"self", "pool"}) {
      const Address object = frames_.Local(*view, name);
      const Type* type = heap_.TypeOf(object);
      if (type == nullptr || type->kind != Kind::kOther || IsPrimitive(*type)) continue;
      if (!IsPool(object)) continue;
      if (object != primitive && !Owns(object, primitive)) continue;
      if (IsClosing(view->code->function)) return 0;
      return object;
    }
  }
  return 0;
}

void PoolReader::IndexWaiters(const PythonProcess& process) {
  for (std::size_t i = 0; i < process.tasks.size(); ++i) {
    const PythonAwait& wait = process.tasks[i].waits_for;
    if (wait.kind != PythonAwaitKind::kOne) continue;
    for (const Address child : wait.children) awaited_by_[child].push_back(i);
  }
}

Address PoolReader::PrimitiveOf(const PythonAwait& wait) {
  if (wait.kind == PythonAwaitKind::kObject) {
    const Type* type = heap_.TypeOf(wait.object);
    // A future among the waiters of a pool itself, or of one of the primitives in it.
    return type != nullptr && (IsPrimitive(*type) || IsPool(wait.object)) ? wait.object : 0;
  }
  return wait.kind == PythonAwaitKind::kUnknown ? wait.future : 0;
}

void PoolReader::SetPool(PythonAwait& wait, Address pool) {
  if (pool == 0) return;
  wait.pool = pool;
  if (std::find(pools_.begin(), pools_.end(), pool) == pools_.end()) pools_.push_back(pool);
}

void PoolReader::FindPool(const PythonProcess& process, PythonTask& task) {
  const Address primitive = PrimitiveOf(task.waits_for);
  if (primitive == 0) return;
  Address pool = PoolOf(task.frames, primitive);
  // wait_for() of 3.11 makes a task of what it waits for: the pool's frames are its caller's.
  const auto callers = awaited_by_.find(task.address);
  if (pool == 0 && callers != awaited_by_.end() && callers->second.size() == 1) {
    pool = PoolOf(process.tasks[callers->second.front()].frames, primitive);
  }
  SetPool(task.waits_for, pool);
}

Address PoolReader::UnitOf(Address object) {
  const auto known = units_.find(object);
  if (known != units_.end()) return known->second;
  for (const Address pool : pools_) {
    const PoolAccount& account = accounts_.at(pool);
    if (account.back_reference.empty() || account.idle.count(object) != 0) continue;
    if (heap_.Attribute(object, account.back_reference) != pool) continue;
    units_.emplace(object, object);
    pool_of_.emplace(object, pool);
    return object;
  }
  return 0;
}

bool PoolReader::IsOwn(const PythonFrame& frame) {
  const auto view = frames_.At(frame.address);
  if (!view || view->code == nullptr) return false;
  const std::string_view file = codes_.FileOf(*view->code);
  return !IsLibrary(file);
}

void PoolReader::Keep(const std::vector<UnitSearch::Found>& found, PythonUnitHolder holder,
                      const std::vector<PythonFrame>& frames, bool is_own) {
  for (const UnitSearch::Found& each : found) {
    std::vector<PythonUnitHolder>& holders = holders_[each.unit];
    const auto known = std::find_if(holders.begin(), holders.end(), [&](const auto& other) {
      return other.task == holder.task && other.thread == holder.thread;
    });
    if (known != holders.end()) {
      // A framework's with-block says that it is held; the program's own frame says by what.
      if (is_own && !IsOwn(frames[known->frame])) known->frame = each.frame;
      continue;
    }
    holder.frame = each.frame;
    holder.hops = each.hops;
    holders.push_back(holder);
  }
}

void PoolReader::Search(const std::vector<PythonFrame>& frames, PythonUnitHolder holder,
                        UnitSearch& search) {
  std::vector<UnitSearch::Root> blocks;
  std::vector<UnitSearch::Root> own;
  std::vector<UnitSearch::Root> others;
  for (std::size_t i = frames.size(); i-- > 0;) {  // the outermost first: who took it
    const auto frame = static_cast<std::uint32_t>(i);
    for (const PythonHold& hold : frames[i].holds) {
      if (!hold.entering) blocks.push_back({hold.object, frame});
    }
    const auto view = frames_.At(frames[i].address);
    if (!view || view->code == nullptr) continue;
    std::vector<UnitSearch::Root>& locals = IsOwn(frames[i]) ? own : others;
    for (std::uint32_t slot = 0; slot < std::min<std::size_t>(view->code->locals, kMaxLocals);
         ++slot) {
      const Address local = frames_.LocalAt(*view, slot);
      if (local != 0) locals.push_back({local, frame});
    }
  }
  holder.in_block = true;
  if (!blocks.empty()) Keep(search.From(blocks), holder, frames, false);
  holder.in_block = false;
  if (!own.empty()) Keep(search.From(own), holder, frames, true);
  if (!others.empty()) Keep(search.From(others), holder, frames, false);
}

std::string PoolReader::PathText(const std::string& global, const std::vector<Address>& path) {
  std::string text = "global " + global;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    std::string step;
    heap_.ForEachAttribute(path[i], kMaxAttributes, [&](const std::string& name, Address value) {
      if (value == path[i + 1]) step = "." + name;
      if (step.empty() && IsContainer(heap_.KindOf(value))) {
        const auto elements = heap_.SomeElements(value, kMaxAttributes);
        if (std::find(elements.begin(), elements.end(), path[i + 1]) != elements.end()) {
          step = "." + name + "[..]";
        }
      }
      return step.empty();
    });
    text += step.empty() ? "..." : step;
  }
  return text;
}

void PoolReader::FindReferrers(const std::vector<Address>& modules, UnitSearch& search) {
  std::vector<std::string> names;
  std::vector<UnitSearch::Root> roots;
  for (const Address all : modules) {
    heap_.ForEachItem(all, kMaxModules, [&](Address key, Address module) {
      const Address dict = heap_.Word(module + kModuleDict);
      const auto file = heap_.Str(heap_.DictGet(dict, "__file__"), kMaxPath);
      const Type* type = heap_.TypeOf(module);
      if (type == nullptr || type->name != "module" || !file || IsLibrary(*file)) return true;
      const std::string name = heap_.Str(key, kMaxName).value_or("?");
      heap_.ForEachItem(dict, kMaxGlobals, [&](Address global, Address value) {
        roots.push_back({value, static_cast<std::uint32_t>(names.size())});
        names.push_back(name + "." + heap_.Str(global, kMaxName).value_or("?"));
        return true;
      });
      return true;
    });
  }
  for (const UnitSearch::Found& found : search.From(roots)) {
    referrers_[found.unit] = PathText(names[found.frame], found.path);
  }
}

void PoolReader::FindUnits(const std::vector<Address>& modules, PythonProcess& process) {
  std::unordered_set<Address> stacks;
  const auto add = [&](const std::vector<PythonFrame>& frames) {
    for (const PythonFrame& frame : frames) stacks.insert(frame.address);
  };
  for (const PythonTask& task : process.tasks) add(task.frames);
  for (const PythonThread& thread : process.threads) add(thread.frames);
  std::unordered_set<Address> barred(pools_.begin(), pools_.end());
  for (const Address pool : pools_) {
    for (const auto& [object, unit] : accounts_.at(pool).units) {
      units_.emplace(object, unit);
      pool_of_.emplace(unit, pool);
    }
  }
  UnitSearch search(
      heap_, frames_, [this](Address object) { return UnitOf(object); }, barred, stacks);
  for (const PythonTask& task : process.tasks) {
    if (IsRunning(task)) Search(task.frames, {task.address, 0, 0, 0, false}, search);
  }
  for (const PythonThread& thread : process.threads) {
    if (thread.running_task != 0) continue;  // its frames are that task's
    // The frames of a loop lead to every connection whose socket it watches.
    std::vector<PythonFrame> frames = thread.frames;
    if (thread.running_loop != 0) {
      for (PythonFrame& frame : frames) {
        if (!IsOwn(frame)) frame.address = 0;
      }
    }
    Search(frames, {0, thread.address, 0, 0, false}, search);
  }
  const bool lost = std::any_of(pool_of_.begin(), pool_of_.end(), [this](const auto& unit) {
    return holders_.count(unit.first) == 0;
  });
  std::size_t in_use = 0;
  for (const Address pool : pools_) in_use += accounts_.at(pool).in_use;
  if (lost || in_use > holders_.size()) FindReferrers(modules, search);
  for (const Address pool : pools_) {
    process.pools.push_back(Describe(accounts_.at(pool), search.complete()));
  }
}

PythonPool PoolReader::Describe(const PoolAccount& account, bool complete) {
  PythonPool pool;
  pool.object = account.pool;
  pool.type = account.type;
  pool.capacity = account.capacity;
  pool.idle = account.idle_count;
  pool.in_use = account.in_use;
  pool.complete = complete;
  std::vector<Address> units;
  for (const auto& [unit, of] : pool_of_) {
    if (of == account.pool) units.push_back(unit);
  }
  std::sort(units.begin(), units.end());
  for (const Address object : units) {
    PythonUnit& unit = pool.units.emplace_back();
    unit.object = object;
    if (const Type* type = heap_.TypeOf(object)) unit.type = type->name;
    unit.holders = std::move(holders_[object]);
    if (unit.holders.empty()) unit.referrer = referrers_[object];
    std::stable_sort(unit.holders.begin(), unit.holders.end(), [](const auto& a, const auto& b) {
      return std::tuple(!a.in_block, a.hops) < std::tuple(!b.in_block, b.hops);
    });
    if (unit.holders.size() > kMaxHolders) unit.holders.resize(kMaxHolders);
  }
  return pool;
}

void PoolReader::Read(const std::vector<Address>& modules, PythonProcess& process) {
  IndexWaiters(process);
  for (PythonTask& task : process.tasks) {
    if (task.state == PythonTaskState::kWaiting) FindPool(process, task);
  }
  for (PythonThread& thread : process.threads) {
    const Address primitive = PrimitiveOf(thread.waits_for);
    if (primitive != 0) SetPool(thread.waits_for, PoolOf(thread.frames, primitive));
  }
  if (!pools_.empty()) FindUnits(modules, process);
}

}  // namespace ct::cpython
