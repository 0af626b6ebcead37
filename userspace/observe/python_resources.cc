#include "observe/python_resources.h"

#include <algorithm>
#include <array>

namespace ct {
namespace {

struct KnownType {
  std::string_view type;
  std::string_view name;
  ResourceKind kind;
  WaitPurpose purpose;
};

constexpr auto kTypes = std::to_array<KnownType>({
    {"asyncio.locks.Lock", "asyncio.Lock", ResourceKind::kMutex, WaitPurpose::kAcquire},
    {"asyncio.locks.Semaphore", "asyncio.Semaphore", ResourceKind::kSemaphore,
     WaitPurpose::kAcquire},
    {"asyncio.locks.BoundedSemaphore", "asyncio.BoundedSemaphore", ResourceKind::kSemaphore,
     WaitPurpose::kAcquire},
    {"asyncio.locks.Condition", "asyncio.Condition", ResourceKind::kCondition, WaitPurpose::kEvent},
    {"asyncio.locks.Event", "asyncio.Event", ResourceKind::kCondition, WaitPurpose::kEvent},
    {"asyncio.locks.Barrier", "asyncio.Barrier", ResourceKind::kBarrier, WaitPurpose::kEvent},
    {"asyncio.queues.Queue", "asyncio.Queue", ResourceKind::kCondition, WaitPurpose::kEvent},
    {"asyncio.queues.PriorityQueue", "asyncio.PriorityQueue", ResourceKind::kCondition,
     WaitPurpose::kEvent},
    {"asyncio.queues.LifoQueue", "asyncio.LifoQueue", ResourceKind::kCondition,
     WaitPurpose::kEvent},
    {"asyncio.taskgroups.TaskGroup", "asyncio.TaskGroup", ResourceKind::kFuture,
     WaitPurpose::kJoin},
    // Of anyio 3, and of anyio 4.
    {"anyio.Lock", "anyio.Lock", ResourceKind::kMutex, WaitPurpose::kAcquire},
    {"anyio._backends._asyncio.Lock", "anyio.Lock", ResourceKind::kMutex, WaitPurpose::kAcquire},
    {"anyio.Semaphore", "anyio.Semaphore", ResourceKind::kSemaphore, WaitPurpose::kAcquire},
    {"anyio._backends._asyncio.Semaphore", "anyio.Semaphore", ResourceKind::kSemaphore,
     WaitPurpose::kAcquire},
    {"anyio.Condition", "anyio.Condition", ResourceKind::kCondition, WaitPurpose::kEvent},
    {"anyio._backends._asyncio.CapacityLimiter", "anyio.CapacityLimiter", ResourceKind::kSemaphore,
     WaitPurpose::kAcquire},
    {"anyio._backends._asyncio.TaskGroup", "anyio.TaskGroup", ResourceKind::kFuture,
     WaitPurpose::kJoin},
    {"_thread._local", "threading.local", ResourceKind::kObject, WaitPurpose::kEvent},
    {"_thread.lock", "threading.Lock", ResourceKind::kMutex, WaitPurpose::kAcquire},
    {"_thread.RLock", "threading.RLock", ResourceKind::kMutex, WaitPurpose::kAcquire},
    {"threading.Semaphore", "threading.Semaphore", ResourceKind::kSemaphore, WaitPurpose::kAcquire},
    {"threading.BoundedSemaphore", "threading.BoundedSemaphore", ResourceKind::kSemaphore,
     WaitPurpose::kAcquire},
    {"threading.Barrier", "threading.Barrier", ResourceKind::kBarrier, WaitPurpose::kEvent},
    {"_queue.SimpleQueue", "queue.SimpleQueue", ResourceKind::kCondition, WaitPurpose::kEvent},
});

const KnownType* Known(std::string_view type) {
  for (const KnownType& known : kTypes) {
    if (known.type == type) return &known;
  }
  return nullptr;
}

PythonResource OfObject(const std::string& type, std::uint64_t address) {
  PythonResource resource;
  resource.kind = ResourceKind::kCondition;  // somebody's own: it will be told when to go on
  if (const KnownType* known = Known(type)) {
    resource.kind = known->kind;
    resource.purpose = known->purpose;
  }
  resource.address = address;
  resource.type = PublicName(type);
  return resource;
}

PythonResource OfEnds(const PythonAwait& wait, const char* type) {
  PythonResource resource;
  resource.purpose = WaitPurpose::kJoin;
  resource.address = wait.future;
  resource.type = type;
  return resource;
}

}  // namespace

std::string PublicName(const std::string& type) {
  const KnownType* known = Known(type);
  return known != nullptr ? std::string(known->name) : type;
}

std::string PoolName(const std::string& type) {
  constexpr auto kLibraries = std::to_array<std::string_view>(
      {"aiohttp", "aiomysql", "aiopg", "asyncpg", "psycopg_pool", "redis", "sqlalchemy"});
  const std::string package = type.substr(0, type.find('.'));
  const bool known = std::find(kLibraries.begin(), kLibraries.end(), package) != kLibraries.end();
  return known ? package + (type.ends_with("Connector") ? " connector" : " pool") : type;
}

PythonResource PoolResource(std::uint64_t address) {
  PythonResource resource;
  resource.kind = ResourceKind::kPool;
  resource.purpose = WaitPurpose::kAcquire;
  resource.address = address;
  resource.type = "pool";
  return resource;
}

PythonResource LockResource(const PythonLock& lock) {
  return OfObject(lock.keeps_owner ? "_thread.RLock" : "_thread.lock", lock.address);
}

PythonResource FutureResource(std::uint64_t address) {
  PythonResource resource;
  resource.purpose = WaitPurpose::kJoin;
  resource.address = address;
  resource.type = "concurrent.futures.Future";
  return resource;
}

PythonResource GilResource(std::uint64_t address) {
  PythonResource resource;
  resource.kind = ResourceKind::kGil;
  resource.purpose = WaitPurpose::kAcquire;
  resource.address = address;
  resource.type = "GIL";  // as locks/cpython.cc calls it
  return resource;
}

std::optional<PythonResource> AwaitedResource(const PythonAwait& wait, std::string_view function) {
  if (wait.pool != 0) return PoolResource(wait.pool);
  PythonResource resource;
  switch (wait.kind) {
    case PythonAwaitKind::kNothing:
      return std::nullopt;
    case PythonAwaitKind::kUnknown:
      resource.address = wait.future;
      resource.type = "future";
      return resource;
    case PythonAwaitKind::kOne:
      resource = OfEnds(wait, "task");
      // Everybody who waits for the same task waits for the same.
      if (wait.children.size() == 1) resource.address = wait.children.front();
      return resource;
    case PythonAwaitKind::kAll:
      resource = OfEnds(wait, function == "_wait" ? "asyncio.wait" : "asyncio.gather");
      if (wait.object != 0) {
        resource.address = wait.object;
        resource.type = PublicName(wait.type);
      }
      resource.rule = ReleaseRule::kAllHolders;
      return resource;
    case PythonAwaitKind::kAny:
      return OfEnds(wait, "asyncio.wait");
    case PythonAwaitKind::kObject:
      return OfObject(wait.type, wait.object);
    case PythonAwaitKind::kSleep:
      resource.kind = ResourceKind::kEventLoop;
      resource.address = wait.future;
      resource.type = "asyncio.sleep";
      return resource;
    case PythonAwaitKind::kConcurrent:
      return FutureResource(wait.children.empty() ? wait.future : wait.children.front());
    case PythonAwaitKind::kConcurrentAll:
      resource = OfEnds(wait, "concurrent.futures.wait");
      resource.rule = ReleaseRule::kAllHolders;
      return resource;
    case PythonAwaitKind::kConcurrentAny:
      return OfEnds(wait, "concurrent.futures.wait");
    case PythonAwaitKind::kThread:
      resource.kind = ResourceKind::kThreadExit;
      resource.purpose = WaitPurpose::kJoin;
      resource.address = wait.object != 0 ? wait.object : wait.future;
      resource.type = "threading.Thread";
      return resource;
    case PythonAwaitKind::kGil:
      return GilResource(wait.object);
  }
  return std::nullopt;
}

std::optional<PythonHeld> HeldResource(const PythonHold& hold) {
  const KnownType* known = Known(hold.type);
  if (hold.entering || known == nullptr || known->purpose != WaitPurpose::kAcquire) {
    return std::nullopt;
  }
  PythonHeld held;
  held.resource = OfObject(hold.type, hold.object);
  held.note = hold.is_async ? "in its async with block" : "in its with block";
  if (known->kind == ResourceKind::kSemaphore) {
    held.evidence = Evidence::kProbable;
    held.note = "a unit of the semaphore that was taken without a with block would not be seen";
  }
  if (hold.bare) {
    held.evidence = Evidence::kProbable;
    held.note = "its code calls acquire() before this line and release() only after it";
  }
  return held;
}

}  // namespace ct
