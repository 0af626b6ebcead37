// Findings: what is worth a person's attention.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/edge.h"
#include "model/event_loop.h"
#include "model/hold_activity.h"

namespace ct {

enum class FindingKind : std::uint8_t {
  kDeadlock,
  kProbableDeadlock,
  kAbandonedLock,
  kPoolLeak,
  kPoolExhausted,
  kLongWait,
  kLongHold,
  kStuckTask,
  kHotLock,
  kLockOrderInversion,
  kSharedObject,
  kThreadLocalInTasks,
  kSwallowedException,
  kNeverAwaited,
  kEventLoopBlocked,
  kGilContention,
};

// Whether it ends without help.
enum class Ending : std::uint8_t {
  kNever,            // will not end by itself
  kUnlessSignalled,  // only a signal handler or timer of the process could end it
  kTimeout,          // at `ends_at`, when a timed wait in it gives up
  kMayEnd,           // an ordinary wait
};

// One step of a ring, in order: the actor waits for the resource that the next step's actor holds.
struct RingStep {
  WaitIndex wait = kNoIndex;
  HoldIndex held_by_next = kNoIndex;
  bool operator==(const RingStep&) const = default;
};

// One step of a ring of lock orders: somebody has `held` of the order and asks for its `wanted`,
// which is the next step's `held`.
struct OrderStep {
  LockOrderIndex order = kNoIndex;
  std::int32_t sighting = kNoIndex;  // in LockOrder::sightings: one that fits the others' threads
  bool operator==(const OrderStep&) const = default;
};

struct Finding {
  FindingKind kind = FindingKind::kLongWait;
  Evidence evidence = Evidence::kUnknown;
  Ending ending = Ending::kMayEnd;
  std::optional<TimeNs> ends_at;
  TimeNs since = 0;  // the state this finding describes has existed at least since then

  // DEADLOCK: the members that cannot go on because of each other; `ring` is one shortest cycle
  // among them (empty for a closed world without a cycle). LONG_WAIT: the waiters that share the
  // root. GIL_CONTENTION: none, see Contention::gils. ABANDONED_LOCK, HOT_LOCK, POOL_LEAK,
  // POOL_EXHAUSTED: the waiters. SHARED_OBJECT, THREAD_LOCAL_IN_TASKS: who uses it. STUCK_TASK: the
  // tasks at one place; `root` is the one that they wait for in the end.
  std::vector<ActorIndex> members;
  std::vector<RingStep> ring;
  std::vector<ResourceIndex> resources;  // what they wait for
  // Others who are not part of it and cannot go on before it ends (each once, by actor).
  std::vector<ActorIndex> blocked_behind;
  // LONG_WAIT: the waits from the oldest waiter to the root, and the root.
  std::vector<RingStep> chain;
  ActorIndex root = kNoIndex;
  // EVENT_LOOP_BLOCKED: the iterations that are one finding, the longest first; the member is the
  // loop's thread.
  std::vector<LoopBlockIndex> loop_blocks;

  // SWALLOWED_EXCEPTION: those of one type from one place.
  std::vector<SwallowedIndex> exceptions;
  std::vector<NeverAwaitedIndex> never_awaited;  // NEVER_AWAITED
  std::vector<OrderStep> orders;                 // LOCK_ORDER_INVERSION: a ring of them
  std::vector<LongHoldIndex> long_holds;         // LONG_HOLD: those of one place, the longest first

  std::vector<std::string> proof;  // why this is so, one line a step
  std::string advice;              // what would end or avoid it, one line; may be empty

  // Filled by track/: equal for the same finding in later observations.
  std::uint64_t id = 0;
  TimeNs first_seen = 0;
  TimeNs last_seen = 0;
  bool ended = false;
  bool operator==(const Finding&) const = default;
};

}  // namespace ct
