#include "runtimes/cpython/thread_locks.h"

namespace ct::cpython {
namespace {

// lockobject, rlockobject and simplequeueobject: a pointer to a sem_t or a PyMutex comes first.
constexpr std::uint64_t kFirstField = 16;
// Of the lock with a semaphore: `locked`. Of the RLock: the owner, and how often it has it.
constexpr std::uint64_t kLocked = 32;
constexpr std::uint64_t kOwner = 24;
constexpr std::uint64_t kCount = 32;
// Since 3.13 a PyMutex, whose lowest bit is "locked". The sizes tell which (3.13.0 had the old
// one).
constexpr std::uint64_t kSizeOfMutexLock = 24;
constexpr std::uint64_t kSizeOfMutexRLock = 40;
// struct wait_entry {void* park_arg; uintptr_t addr; _PySemaphore sema...} of parking_lot.c
constexpr std::uint64_t kAddressBeforeSemaphore = 8;
// Threads of a thread library on x86-64: pthread_self() is where the thread pointer points to, and
// the first word there is itself (System V ABI, thread-local storage of variant II). glibc's struct
// pthread has itself at 16, too, which musl has not, and the tid, which the kernel clears at the
// thread's end (CLONE_CHILD_CLEARTID) and pthread_join() sets to -1: its memory may be kept for the
// next one.
constexpr std::uint64_t kSelfOfGlibc = 16;
constexpr std::uint64_t kTidOfGlibc = 720;

bool HasBit(Heap& heap, Address at) { return (heap.Value<std::uint8_t>(at).value_or(1) & 1) != 0; }

}  // namespace

std::optional<PythonLock> ReadLock(Heap& heap, Address object, const Type& type) {
  PythonLock lock;
  lock.address = object;
  if (type.name == "_thread.lock") {
    const bool is_mutex = type.basic_size == kSizeOfMutexLock;
    lock.locked = HasBit(heap, object + (is_mutex ? kFirstField : kLocked));
    return lock;
  }
  if (type.name != "_thread.RLock") return std::nullopt;
  lock.keeps_owner = true;
  lock.locked = type.basic_size == kSizeOfMutexRLock
                    ? HasBit(heap, object + kFirstField)
                    : heap.Value<std::uint64_t>(object + kCount) != 0U;
  if (lock.locked) lock.owner = heap.Word(object + kOwner);
  return lock;
}

bool IsFreeLock(Heap& heap, Address object, const Type& type) {
  if (type.name == "asyncio.locks.Lock") {
    return heap.Int(heap.Attribute(object, "_locked")) == 0;
  }
  if (type.name == "anyio._backends._asyncio.Lock") {
    return heap.KindOf(heap.Attribute(object, "_owner_task")) == Kind::kNone;
  }
  const auto lock = ReadLock(heap, object, type);
  return lock && !lock->locked;
}

bool MayLive(Heap& heap, std::uint64_t ident) {
  if (heap.Word(ident) != ident) return false;
  if (heap.Word(ident + kSelfOfGlibc) != ident) return true;
  return heap.Value<std::int32_t>(ident + kTidOfGlibc).value_or(1) > 0;
}

Address ParkedFor(Heap& heap, Address word) {
  return heap.IsAtLeast(13) ? heap.Word(word - kAddressBeforeSemaphore) : 0;
}

bool WaitsInLock(Heap& heap, Address object, Address word) {
  const Type* type = heap.TypeOf(object);
  if (type == nullptr || (type->name != "_thread.lock" && type->name != "_thread.RLock" &&
                          type->name != "_queue.SimpleQueue")) {
    return false;
  }
  return heap.Word(object + kFirstField) == word || ParkedFor(heap, word) == object + kFirstField;
}

}  // namespace ct::cpython
