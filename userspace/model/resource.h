// Resources: what can be waited for and held.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/actor.h"

namespace ct {

enum class ResourceKind : std::uint8_t {
  kFutex,  // a futex that no decoder knows
  kMutex,
  kRwLock,
  kStdioLock,  // a FILE's lock
  kMallocArena,
  kSemaphore,
  kCondition,
  kBarrier,
  kOnce,        // pthread_once, a static initializer's guard
  kThreadExit,  // join: the resource is the joined thread's life, held by that thread
  kAtomicWait,  // C++20 atomic::wait, latch, counting_semaphore
  kPark,        // a runtime's parking place: JVM, parking_lot, Go's M, Rust's thread::park
  kFuture,
  kGil,
  kPool,
  kEventLoop,
  kObject,  // a program's own, that nobody waits for
};

enum class Implementation : std::uint8_t {
  kUnknown,
  kGlibc,
  kMusl,
  kLibstdcxx,
  kRustStd,
  kParkingLot,
  kAbseil,
  kGo,
  kJvm,
  kCpython,
};

// A private lock is (memory space, address). A shared one is (device, inode, offset), whatever
// address each process maps it at.
struct ResourceId {
  bool shared = false;
  SpaceId space = 0;          // private only
  std::uint64_t address = 0;  // private: address of the lock object
  std::uint64_t device = 0;   // shared: st_dev of the mapped file
  std::uint64_t inode = 0;    // shared
  std::uint64_t offset = 0;   // shared: in the file; private: 1 = the pool that begins there
  auto operator<=>(const ResourceId&) const = default;
};

// Which holders must be able to go on before a waiter of this resource can.
enum class ReleaseRule : std::uint8_t {
  kAnyHolder,   // a mutex (its one holder), a counted resource (any unit), wait-first
  kAllHolders,  // a gather or join set; a writer behind several readers
};

enum class Abandoned : std::uint8_t {
  kNo,
  kOwnerExited,        // the owner's thread has ended without unlocking
  kInheritedOverFork,  // the owner is a thread of the parent: it does not exist in this process
  kTidReused,          // the owner's tid now belongs to a younger thread
  kUnreferenced,       // a future that nobody but its waiter refers to: nobody can complete it
};

// A unit of a pool that is in use though no live task or thread has it.
struct LostUnit {
  std::uint64_t address = 0;
  std::string type;      // "asyncpg.connection.Connection"
  std::string referrer;  // what still refers to it: "global shop.db.conn"; empty: nothing was found
  bool operator==(const LostUnit&) const = default;
};

// How many waited at a moment that has passed.
struct QueueLength {
  TimeNs at = 0;
  std::uint32_t waiting = 0;
  bool operator==(const QueueLength&) const = default;
};

struct Resource {
  ResourceKind kind = ResourceKind::kFutex;
  Implementation implementation = Implementation::kUnknown;
  ResourceId id;
  std::string type;    // as its user would write it: "pthread_mutex_t (recursive)", "std::mutex"
  std::string symbol;  // the variable, where it has a name: "g_ledger_mu"
  std::string where;   // "heap", "stack of 981", ".bss of libfoo.so", "/dev/shm/x"; may be empty
  ReleaseRule rule = ReleaseRule::kAnyHolder;
  // The Holds of this resource are all there are. False: someone else may hold it and release it,
  // so its waiters are never called stuck on its account.
  bool holders_known = false;
  bool changed_hands = false;               // while we looked: whoever held it, it moves
  std::optional<std::uint32_t> capacity;    // counted resources, where readable
  std::optional<std::uint32_t> in_use;      // units of a pool
  std::optional<std::uint32_t> idle;        // those that wait in it; others may yet be made
  std::optional<std::uint32_t> high_water;  // most units that were seen in use at a time
  std::optional<std::uint32_t> readers;     // that have the rwlock, as its memory counts them
  std::vector<LostUnit> lost_units;         // of a pool that was read to its end
  std::optional<QueueLength> queue_before;  // of a pool that earlier observations saw, too
  Abandoned abandoned = Abandoned::kNo;
  pid_t abandoned_by = 0;  // the tid in the owner word, as the target sees it
  bool operator==(const Resource&) const = default;
};

}  // namespace ct
