// Every object that the garbage collector knows, found by walking its lists.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "base/clock.h"
#include "runtimes/cpython/objects.h"
#include "target/memory.h"

namespace ct::cpython {

class GcWalk {
 public:
  // Of all walks together.
  struct Limits {
    std::uint64_t objects = 16 << 20;
    DurationNs time = 1200 * kMillisecond;  // less than the reader's patience
  };
  // `fresh` is the memory without a cache: where the lists have changed since they were read, the
  // walk looks again.
  GcWalk(Heap& heap, Memory& fresh) : GcWalk(heap, fresh, Limits()) {}
  GcWalk(Heap& heap, Memory& fresh, Limits limits)
      : heap_(heap),
        fresh_(fresh),
        objects_left_(limits.objects),
        time_(limits.time),
        deadline_(MonotonicNow() + limits.time) {}

  // Calls `visit` for each object of an interpreter, in a process that runs on perhaps twice.
  // False if some were not reached: then that is a skip, too.
  using Visit = std::function<void(Address object, Address type)>;
  bool Walk(Address interpreter, const Visit& visit);

  // The time for all walks, and for what is done with them, is over.
  [[nodiscard]] bool IsLate() const { return MonotonicNow() > deadline_; }

 private:
  // PyGC_Head, and the object behind it.
  struct Node {
    Address next, previous;
    std::uint64_t refcount;
    Address type;
  };
  enum class Way : std::uint8_t { kForward, kBackward };

  static constexpr std::uint64_t kGenerations = 3;

  [[nodiscard]] bool IsHead(Address at) const;
  // The head of the youngest generation.
  Address Youngest(Address interpreter);
  // From the head to the head, or to `end`. Where it got lost: the last object that was certain; 0
  // if it arrived.
  Address WalkList(Address head, Address end, Way way, const Visit& visit);
  // The neighbour of `at` as it is now; 0 if the list does not go on there.
  Address LookAgain(Address head, Address at, Way way, Node& node);
  bool Spend();

  std::array<Address, kGenerations + 1> heads_{};  // of an interpreter; the last one: frozen
  Heap& heap_;
  Memory& fresh_;
  std::uint64_t objects_left_;
  DurationNs time_;
  TimeNs deadline_;
  std::uint64_t visited_ = 0;
  std::uint64_t repairs_left_ = 1 << 12;  // looks without the cache, some 20 us each
  bool exhausted_ = false;
};

}  // namespace ct::cpython
