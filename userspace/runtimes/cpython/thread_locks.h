// The locks of Modules/_threadmodule.c.
#pragma once

#include <optional>

#include "runtimes/cpython/objects.h"

namespace ct::cpython {

// nullopt if the object is no threading.Lock or RLock (of C).
std::optional<PythonLock> ReadLock(Heap& heap, Address object, const Type& type);

// Its own word for it: a lock of threads or of asyncio that nobody has. False of other objects.
bool IsFreeLock(Heap& heap, Address object, const Type& type);

// True if a futex call on `word` waits for this object: a lock, or a _queue.SimpleQueue, which has
// one of its own.
bool WaitsInLock(Heap& heap, Address object, Address word);

// The ident of a thread, which an RLock keeps of its owner, is not that of one that has ended. Who
// only calls Python now and then, from C, is a thread of the interpreter while it does.
bool MayLive(Heap& heap, std::uint64_t ident);

// From 3.13 on: what the thread that sleeps on `word` parks for; 0 if it cannot be read.
Address ParkedFor(Heap& heap, Address word);

}  // namespace ct::cpython
