// Enums of the model <-> enums of the format. A table each: the two sides may be renumbered apart.
#pragma once

#include <array>
#include <optional>
#include <utility>

#include "concurrency_tracer/v1/snapshot.pb.h"
#include "model/finding.h"
#include "model/observation.h"

namespace ct {

namespace pb = concurrency_tracer::v1;

template <class Model>
inline constexpr int kEnumTable = 0;

template <>
inline constexpr auto kEnumTable<FrameOrigin> =
    std::to_array<std::pair<FrameOrigin, pb::FrameOrigin>>({
        {FrameOrigin::kNative, pb::FRAME_ORIGIN_NATIVE},
        {FrameOrigin::kKernel, pb::FRAME_ORIGIN_KERNEL},
        {FrameOrigin::kJit, pb::FRAME_ORIGIN_JIT},
        {FrameOrigin::kPython, pb::FRAME_ORIGIN_PYTHON},
    });

template <>
inline constexpr auto kEnumTable<StackEnd> = std::to_array<std::pair<StackEnd, pb::StackEnd>>({
    {StackEnd::kNotRead, pb::STACK_END_NOT_READ},
    {StackEnd::kComplete, pb::STACK_END_COMPLETE},
    {StackEnd::kTooDeep, pb::STACK_END_TOO_DEEP},
    {StackEnd::kNoUnwindInfo, pb::STACK_END_NO_UNWIND_INFO},
    {StackEnd::kUnreadable, pb::STACK_END_UNREADABLE},
    {StackEnd::kMoved, pb::STACK_END_MOVED},
});

template <>
inline constexpr auto kEnumTable<Verdict> = std::to_array<std::pair<Verdict, pb::Verdict>>({
    {Verdict::kUnknown, pb::VERDICT_UNSPECIFIED},
    {Verdict::kSpinning, pb::VERDICT_SPINNING},
    {Verdict::kBusy, pb::VERDICT_BUSY},
    {Verdict::kBlocked, pb::VERDICT_BLOCKED},
    {Verdict::kDeadlocked, pb::VERDICT_DEADLOCKED},
    {Verdict::kIdle, pb::VERDICT_IDLE},
});

template <>
inline constexpr auto kEnumTable<ActorKind> = std::to_array<std::pair<ActorKind, pb::ActorKind>>({
    {ActorKind::kThread, pb::ACTOR_KIND_THREAD},
    {ActorKind::kTask, pb::ACTOR_KIND_TASK},
});

template <>
inline constexpr auto kEnumTable<RunState> = std::to_array<std::pair<RunState, pb::RunState>>({
    {RunState::kUnknown, pb::RUN_STATE_UNSPECIFIED},
    {RunState::kRunning, pb::RUN_STATE_RUNNING},
    {RunState::kRunnable, pb::RUN_STATE_RUNNABLE},
    {RunState::kSleeping, pb::RUN_STATE_SLEEPING},
    {RunState::kUninterruptible, pb::RUN_STATE_UNINTERRUPTIBLE},
    {RunState::kStopped, pb::RUN_STATE_STOPPED},
    {RunState::kTraced, pb::RUN_STATE_TRACED},
    {RunState::kFrozen, pb::RUN_STATE_FROZEN},
    {RunState::kThrottled, pb::RUN_STATE_THROTTLED},
    {RunState::kExited, pb::RUN_STATE_EXITED},
});

template <>
inline constexpr auto kEnumTable<ResourceKind> =
    std::to_array<std::pair<ResourceKind, pb::ResourceKind>>({
        {ResourceKind::kFutex, pb::RESOURCE_KIND_FUTEX},
        {ResourceKind::kMutex, pb::RESOURCE_KIND_MUTEX},
        {ResourceKind::kRwLock, pb::RESOURCE_KIND_RW_LOCK},
        {ResourceKind::kStdioLock, pb::RESOURCE_KIND_STDIO_LOCK},
        {ResourceKind::kMallocArena, pb::RESOURCE_KIND_MALLOC_ARENA},
        {ResourceKind::kSemaphore, pb::RESOURCE_KIND_SEMAPHORE},
        {ResourceKind::kCondition, pb::RESOURCE_KIND_CONDITION},
        {ResourceKind::kBarrier, pb::RESOURCE_KIND_BARRIER},
        {ResourceKind::kOnce, pb::RESOURCE_KIND_ONCE},
        {ResourceKind::kThreadExit, pb::RESOURCE_KIND_THREAD_EXIT},
        {ResourceKind::kAtomicWait, pb::RESOURCE_KIND_ATOMIC_WAIT},
        {ResourceKind::kPark, pb::RESOURCE_KIND_PARK},
        {ResourceKind::kFuture, pb::RESOURCE_KIND_FUTURE},
        {ResourceKind::kGil, pb::RESOURCE_KIND_GIL},
        {ResourceKind::kPool, pb::RESOURCE_KIND_POOL},
        {ResourceKind::kEventLoop, pb::RESOURCE_KIND_EVENT_LOOP},
        {ResourceKind::kObject, pb::RESOURCE_KIND_OBJECT},
    });

template <>
inline constexpr auto kEnumTable<Implementation> =
    std::to_array<std::pair<Implementation, pb::Implementation>>({
        {Implementation::kUnknown, pb::IMPLEMENTATION_UNSPECIFIED},
        {Implementation::kGlibc, pb::IMPLEMENTATION_GLIBC},
        {Implementation::kMusl, pb::IMPLEMENTATION_MUSL},
        {Implementation::kLibstdcxx, pb::IMPLEMENTATION_LIBSTDCXX},
        {Implementation::kRustStd, pb::IMPLEMENTATION_RUST_STD},
        {Implementation::kParkingLot, pb::IMPLEMENTATION_PARKING_LOT},
        {Implementation::kAbseil, pb::IMPLEMENTATION_ABSEIL},
        {Implementation::kGo, pb::IMPLEMENTATION_GO},
        {Implementation::kJvm, pb::IMPLEMENTATION_JVM},
        {Implementation::kCpython, pb::IMPLEMENTATION_CPYTHON},
    });

template <>
inline constexpr auto kEnumTable<ReleaseRule> =
    std::to_array<std::pair<ReleaseRule, pb::ReleaseRule>>({
        {ReleaseRule::kAnyHolder, pb::RELEASE_RULE_ANY_HOLDER},
        {ReleaseRule::kAllHolders, pb::RELEASE_RULE_ALL_HOLDERS},
    });

template <>
inline constexpr auto kEnumTable<Abandoned> = std::to_array<std::pair<Abandoned, pb::Abandoned>>({
    {Abandoned::kNo, pb::ABANDONED_NO},
    {Abandoned::kOwnerExited, pb::ABANDONED_OWNER_EXITED},
    {Abandoned::kInheritedOverFork, pb::ABANDONED_INHERITED_OVER_FORK},
    {Abandoned::kTidReused, pb::ABANDONED_TID_REUSED},
    {Abandoned::kUnreferenced, pb::ABANDONED_UNREFERENCED},
});

template <>
inline constexpr auto kEnumTable<Evidence> = std::to_array<std::pair<Evidence, pb::Evidence>>({
    {Evidence::kUnknown, pb::EVIDENCE_UNSPECIFIED},
    {Evidence::kProbable, pb::EVIDENCE_PROBABLE},
    {Evidence::kCertain, pb::EVIDENCE_CERTAIN},
});

template <>
inline constexpr auto kEnumTable<AccessMode> =
    std::to_array<std::pair<AccessMode, pb::AccessMode>>({
        {AccessMode::kExclusive, pb::ACCESS_MODE_EXCLUSIVE},
        {AccessMode::kShared, pb::ACCESS_MODE_SHARED},
    });

template <>
inline constexpr auto kEnumTable<Continuity> =
    std::to_array<std::pair<Continuity, pb::Continuity>>({
        {Continuity::kSeenOnce, pb::CONTINUITY_SEEN_ONCE},
        {Continuity::kContinued, pb::CONTINUITY_CONTINUED},
        {Continuity::kDidNotRun, pb::CONTINUITY_DID_NOT_RUN},
        {Continuity::kStill, pb::CONTINUITY_STILL},
    });

template <>
inline constexpr auto kEnumTable<WaitPurpose> =
    std::to_array<std::pair<WaitPurpose, pb::WaitPurpose>>({
        {WaitPurpose::kEvent, pb::WAIT_PURPOSE_EVENT},
        {WaitPurpose::kAcquire, pb::WAIT_PURPOSE_ACQUIRE},
        {WaitPurpose::kJoin, pb::WAIT_PURPOSE_JOIN},
    });

template <>
inline constexpr auto kEnumTable<UseKind> = std::to_array<std::pair<UseKind, pb::UseKind>>({
    {UseKind::kInside, pb::USE_KIND_INSIDE},
    {UseKind::kThreadLocal, pb::USE_KIND_THREAD_LOCAL},
});

template <>
inline constexpr auto kEnumTable<FindingKind> =
    std::to_array<std::pair<FindingKind, pb::FindingKind>>({
        {FindingKind::kDeadlock, pb::FINDING_KIND_DEADLOCK},
        {FindingKind::kProbableDeadlock, pb::FINDING_KIND_PROBABLE_DEADLOCK},
        {FindingKind::kAbandonedLock, pb::FINDING_KIND_ABANDONED_LOCK},
        {FindingKind::kLongWait, pb::FINDING_KIND_LONG_WAIT},
        {FindingKind::kHotLock, pb::FINDING_KIND_HOT_LOCK},
        {FindingKind::kStuckTask, pb::FINDING_KIND_STUCK_TASK},
        {FindingKind::kPoolLeak, pb::FINDING_KIND_POOL_LEAK},
        {FindingKind::kPoolExhausted, pb::FINDING_KIND_POOL_EXHAUSTED},
        {FindingKind::kSharedObject, pb::FINDING_KIND_SHARED_OBJECT},
        {FindingKind::kThreadLocalInTasks, pb::FINDING_KIND_THREAD_LOCAL_IN_TASKS},
        {FindingKind::kSwallowedException, pb::FINDING_KIND_SWALLOWED_EXCEPTION},
        {FindingKind::kNeverAwaited, pb::FINDING_KIND_NEVER_AWAITED},
        {FindingKind::kEventLoopBlocked, pb::FINDING_KIND_EVENT_LOOP_BLOCKED},
        {FindingKind::kGilContention, pb::FINDING_KIND_GIL_CONTENTION},
        {FindingKind::kLockOrderInversion, pb::FINDING_KIND_LOCK_ORDER_INVERSION},
        {FindingKind::kLongHold, pb::FINDING_KIND_LONG_HOLD},
    });

template <>
inline constexpr auto kEnumTable<BlockCause> =
    std::to_array<std::pair<BlockCause, pb::BlockCause>>({
        {BlockCause::kUnknown, pb::BLOCK_CAUSE_UNKNOWN},
        {BlockCause::kPython, pb::BLOCK_CAUSE_PYTHON},
        {BlockCause::kNative, pb::BLOCK_CAUSE_NATIVE},
        {BlockCause::kSyscall, pb::BLOCK_CAUSE_SYSCALL},
        {BlockCause::kLock, pb::BLOCK_CAUSE_LOCK},
        {BlockCause::kGil, pb::BLOCK_CAUSE_GIL},
        {BlockCause::kGarbage, pb::BLOCK_CAUSE_GARBAGE},
        {BlockCause::kStopped, pb::BLOCK_CAUSE_STOPPED},
    });

template <>
inline constexpr auto kEnumTable<Ending> = std::to_array<std::pair<Ending, pb::Ending>>({
    {Ending::kMayEnd, pb::ENDING_MAY_END},
    {Ending::kNever, pb::ENDING_NEVER},
    {Ending::kUnlessSignalled, pb::ENDING_UNLESS_SIGNALLED},
    {Ending::kTimeout, pb::ENDING_TIMEOUT},
});

// What an unknown value is read as: the first row, so it must be the one that claims least.
template <class Model>
constexpr Model CautiousValue() {
  return kEnumTable<Model>.front().first;
}

template <class Model>
constexpr auto ToProto(Model value) {
  for (const auto& [model, proto] : kEnumTable<Model>) {
    if (model == value) return proto;
  }
  return decltype(kEnumTable<Model>.front().second){};
}

template <class Model, class Proto>
constexpr std::optional<Model> FromProto(Proto value) {
  for (const auto& [model, proto] : kEnumTable<Model>) {
    if (proto == value) return model;
  }
  return std::nullopt;
}

}  // namespace ct
