// Waits that libstdc++ makes by itself with syscall(SYS_futex), all but its pthread wrappers:
// bits/atomic_wait.h, futex.cc, guard.cc of GCC 11 and later.
#include <algorithm>
#include <array>
#include <string_view>

#include "locks/frame_rules.h"

namespace ct {
namespace {

// The outer names are the particular ones (std::latch::wait calls atomic's), so that the rules
// stand in order of preference and not the frames.
constexpr std::array kRules = std::to_array<FrameRule>({
    {"__cxa_guard_acquire", ResourceKind::kOnce, WaitPurpose::kEvent, "static initializer"},
    {"std::__atomic_futex_unsigned", ResourceKind::kFuture, WaitPurpose::kEvent, "std::future"},
    {"std::counting_semaphore", ResourceKind::kAtomicWait, WaitPurpose::kEvent,
     "std::counting_semaphore"},
    {"std::__atomic_semaphore", ResourceKind::kAtomicWait, WaitPurpose::kEvent,
     "std::counting_semaphore"},
    {"std::latch::", ResourceKind::kAtomicWait, WaitPurpose::kEvent, "std::latch"},
    {"std::barrier<", ResourceKind::kBarrier, WaitPurpose::kEvent, "std::barrier"},
    {"std::__tree_barrier", ResourceKind::kBarrier, WaitPurpose::kEvent, "std::barrier"},
    {"std::__atomic_wait_address", ResourceKind::kAtomicWait, WaitPurpose::kEvent,
     "std::atomic::wait"},
    {"std::__atomic_base<", ResourceKind::kAtomicWait, WaitPurpose::kEvent, "std::atomic::wait"},
    {"std::atomic<", ResourceKind::kAtomicWait, WaitPurpose::kEvent, "std::atomic::wait"},
    {"std::atomic_flag::", ResourceKind::kAtomicWait, WaitPurpose::kEvent, "std::atomic_flag"},
    {"std::__detail::__platform_wait", ResourceKind::kAtomicWait, WaitPurpose::kEvent,
     "std::atomic::wait"},
    {"std::__detail::__waiter", ResourceKind::kAtomicWait, WaitPurpose::kEvent,
     "std::atomic::wait"},
});

constexpr std::uint32_t kGuardPendingAndWaiting = 0x10100;  // guard.cc: bits of the guard's word
constexpr std::uint32_t kFutureWaiter = 0x80000000;         // _Waiter_bit of atomic_futex.h

bool IsLibraryFrame(const Frame& frame) {
  const std::string_view name = frame.function;
  const std::string_view declarator = name.substr(0, name.find('('));
  return declarator.find("std::") != std::string_view::npos || name == "__cxa_guard_acquire" ||
         CName(name) == "syscall" || name.empty();
}

std::optional<FrameMatch> MatchPreferred(std::span<const Frame> frames) {
  const auto end = std::find_if_not(
      frames.begin(),
      frames.begin() + static_cast<std::ptrdiff_t>(std::min(frames.size(), kCallerFrames)),
      IsLibraryFrame);
  for (const FrameRule& rule : kRules) {
    const auto found = std::find_if(frames.begin(), end, [&](const Frame& frame) {
      return frame.function.find(rule.text) != std::string::npos;
    });
    if (found != end) return FrameMatch{&rule, static_cast<std::size_t>(found - frames.begin())};
  }
  return std::nullopt;
}

// Everything is inlined into the user's function, or nothing has a name.
std::optional<WaitReading> Guess(const DecodeContext& context) {
  const FutexCall& call = context.call;
  const bool guard = call.expected == kGuardPendingAndWaiting;
  const bool future = call.expected == kFutureWaiter;
  if (call.private_futex || (!guard && !context.frames.by_syscall)) return std::nullopt;
  WaitReading reading =
      ReadingOf(context, guard ? ResourceKind::kOnce : ResourceKind::kAtomicWait,
                guard || future ? Implementation::kLibstdcxx : Implementation::kUnknown, call.word);
  if (future && !guard) reading.kind = ResourceKind::kFuture;
  reading.type = guard ? "static initializer" : future ? "std::future" : "atomic wait";
  reading.evidence = Evidence::kProbable;
  reading.evidence_note = "waits like libstdc++; frames do not show it";
  reading.process_shared = !guard && !future;
  if (!ReadOwner(reading, context.memory, context.threads)) return std::nullopt;
  return reading;
}

}  // namespace

std::optional<WaitReading> DecodeLibstdcxx(const DecodeContext& context) {
  const FutexCall& call = context.call;
  const bool op_fits = call.op == FutexOp::kWait || (call.op == FutexOp::kWaitBitset && call.timed);
  if (!op_fits || !context.frames.api.empty()) return std::nullopt;
  const auto match = MatchPreferred(context.thread.frames);
  if (!match) return Guess(context);
  auto reading = ReadingOf(context, *match, Implementation::kLibstdcxx);
  if (!reading) return std::nullopt;
  // Of these only the atomics are ever placed in memory that processes share.
  if (reading->kind != ResourceKind::kAtomicWait) reading->process_shared = false;
  return reading;
}

}  // namespace ct
