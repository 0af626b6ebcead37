#include "model/names.h"

namespace ct {

const char* ToString(RunState state) {
  switch (state) {
    case RunState::kUnknown:
      return "unknown";
    case RunState::kRunning:
      return "running";
    case RunState::kRunnable:
      return "runnable";
    case RunState::kSleeping:
      return "sleeping";
    case RunState::kUninterruptible:
      return "uninterruptible (D)";
    case RunState::kStopped:
      return "stopped";
    case RunState::kTraced:
      return "traced";
    case RunState::kFrozen:
      return "frozen";
    case RunState::kThrottled:
      return "throttled";
    case RunState::kExited:
      return "exited";
  }
  return "unknown";
}

const char* ToString(ResourceKind kind) {
  switch (kind) {
    case ResourceKind::kFutex:
      return "futex";
    case ResourceKind::kMutex:
      return "mutex";
    case ResourceKind::kRwLock:
      return "rwlock";
    case ResourceKind::kStdioLock:
      return "stdio lock";
    case ResourceKind::kMallocArena:
      return "malloc arena";
    case ResourceKind::kSemaphore:
      return "semaphore";
    case ResourceKind::kCondition:
      return "condition variable";
    case ResourceKind::kBarrier:
      return "barrier";
    case ResourceKind::kOnce:
      return "once";
    case ResourceKind::kThreadExit:
      return "thread exit";
    case ResourceKind::kAtomicWait:
      return "atomic wait";
    case ResourceKind::kPark:
      return "parking place";
    case ResourceKind::kFuture:
      return "future";
    case ResourceKind::kGil:
      return "GIL";
    case ResourceKind::kPool:
      return "pool";
    case ResourceKind::kEventLoop:
      return "event loop";
    case ResourceKind::kObject:
      return "object";
  }
  return "futex";
}

const char* ToString(Implementation implementation) {
  switch (implementation) {
    case Implementation::kUnknown:
      return "unknown";
    case Implementation::kGlibc:
      return "glibc";
    case Implementation::kMusl:
      return "musl";
    case Implementation::kLibstdcxx:
      return "libstdc++";
    case Implementation::kRustStd:
      return "Rust std";
    case Implementation::kParkingLot:
      return "parking_lot";
    case Implementation::kAbseil:
      return "absl";
    case Implementation::kGo:
      return "Go runtime";
    case Implementation::kJvm:
      return "JVM";
    case Implementation::kCpython:
      return "CPython";
  }
  return "unknown";
}

const char* ToString(Evidence evidence) {
  switch (evidence) {
    case Evidence::kUnknown:
      return "unknown";
    case Evidence::kProbable:
      return "probable";
    case Evidence::kCertain:
      return "certain";
  }
  return "unknown";
}

const char* ToString(Continuity continuity) {
  switch (continuity) {
    case Continuity::kSeenOnce:
      return "seen once";
    case Continuity::kContinued:
      return "continued";
    case Continuity::kDidNotRun:
      return "did not run";
    case Continuity::kStill:
      return "still";
  }
  return "seen once";
}

const char* ToString(Abandoned abandoned) {
  switch (abandoned) {
    case Abandoned::kNo:
      return "not abandoned";
    case Abandoned::kOwnerExited:
      return "owner exited";
    case Abandoned::kInheritedOverFork:
      return "inherited over fork";
    case Abandoned::kUnreferenced:
      return "unreferenced";
    case Abandoned::kTidReused:
      return "owner's tid was reused";
  }
  return "not abandoned";
}

const char* ToString(StackEnd end) {
  switch (end) {
    case StackEnd::kComplete:
      return "complete";
    case StackEnd::kTooDeep:
      return "too deep";
    case StackEnd::kNoUnwindInfo:
      return "no unwind information";
    case StackEnd::kUnreadable:
      return "memory unreadable";
    case StackEnd::kMoved:
      return "thread moved while read";
    case StackEnd::kNotRead:
      return "not read";
  }
  return "not read";
}

const char* ToString(Verdict verdict) {
  switch (verdict) {
    case Verdict::kUnknown:
      return "unknown";
    case Verdict::kSpinning:
      return "spinning";
    case Verdict::kBusy:
      return "busy";
    case Verdict::kBlocked:
      return "blocked";
    case Verdict::kDeadlocked:
      return "deadlocked";
    case Verdict::kIdle:
      return "idle";
  }
  return "unknown";
}

const char* ToString(BlockCause cause) {
  switch (cause) {
    case BlockCause::kUnknown:
      return "cause not known";
    case BlockCause::kPython:
      return "Python CPU";
    case BlockCause::kNative:
      return "C code";
    case BlockCause::kSyscall:
      return "system call";
    case BlockCause::kLock:
      return "lock";
    case BlockCause::kGil:
      return "GIL";
    case BlockCause::kGarbage:
      return "garbage collection";
    case BlockCause::kStopped:
      return "stopped";
  }
  return "cause not known";
}

const char* ToString(FindingKind kind) {
  switch (kind) {
    case FindingKind::kDeadlock:
      return "DEADLOCK";
    case FindingKind::kProbableDeadlock:
      return "PROBABLE_DEADLOCK";
    case FindingKind::kAbandonedLock:
      return "ABANDONED_LOCK";
    case FindingKind::kPoolLeak:
      return "POOL_LEAK";
    case FindingKind::kPoolExhausted:
      return "POOL_EXHAUSTED";
    case FindingKind::kLongWait:
      return "LONG_WAIT";
    case FindingKind::kLongHold:
      return "LONG_HOLD";
    case FindingKind::kLockOrderInversion:
      return "LOCK_ORDER_INVERSION";
    case FindingKind::kHotLock:
      return "HOT_LOCK";
    case FindingKind::kStuckTask:
      return "STUCK_TASK";
    case FindingKind::kSharedObject:
      return "SHARED_OBJECT";
    case FindingKind::kThreadLocalInTasks:
      return "THREAD_LOCAL_IN_TASKS";
    case FindingKind::kSwallowedException:
      return "SWALLOWED_EXCEPTION";
    case FindingKind::kNeverAwaited:
      return "NEVER_AWAITED";
    case FindingKind::kEventLoopBlocked:
      return "EVENT_LOOP_BLOCKED";
    case FindingKind::kGilContention:
      return "GIL_CONTENTION";
  }
  return "LONG_WAIT";
}

}  // namespace ct
