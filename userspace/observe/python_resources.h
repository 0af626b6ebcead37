// What Python's objects are to the graph: locks, semaphores, events, ends of tasks.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/edge.h"
#include "model/resource.h"
#include "runtimes/python_process.h"

namespace ct {

struct PythonResource {
  ResourceKind kind = ResourceKind::kFuture;
  WaitPurpose purpose = WaitPurpose::kEvent;
  ReleaseRule rule = ReleaseRule::kAnyHolder;
  std::uint64_t address = 0;
  std::string type;  // as its user writes it: "asyncio.Lock"
};

// "asyncio.Lock" of "asyncio.locks.Lock": as a program imports it.
std::string PublicName(const std::string& type);

// "asyncpg pool" of "asyncpg.pool.Pool"; of a class that no library is known for its own name.
std::string PoolName(const std::string& type);

PythonResource PoolResource(std::uint64_t address);
PythonResource LockResource(const PythonLock& lock);
PythonResource FutureResource(std::uint64_t address);
PythonResource GilResource(std::uint64_t address);

// What a suspended task or a blocked thread waits for; nullopt if nothing. `function` is that of
// its innermost frame.
std::optional<PythonResource> AwaitedResource(const PythonAwait& wait, std::string_view function);

// What being in a with-block of this object means; nullopt: nothing that others wait for.
struct PythonHeld {
  PythonResource resource;
  Evidence evidence = Evidence::kCertain;
  std::string note;
};
std::optional<PythonHeld> HeldResource(const PythonHold& hold);

}  // namespace ct
