// Go's runtime: what sleeps is an M (a thread), on its own semaphore or on a lock of the runtime.
// Goroutines wait for each other inside the process, where no thread can be seen to wait.
// runtime/lock_futex.go, os_linux.go.
#include <algorithm>
#include <array>

#include "locks/frame_rules.h"

namespace ct {
namespace {

constexpr std::array kRules = std::to_array<FrameRule>({
    {"runtime.lock2", ResourceKind::kMutex, WaitPurpose::kAcquire, "runtime.mutex"},
    {"runtime.notesleep", ResourceKind::kPark, WaitPurpose::kEvent, "runtime.note"},
    {"runtime.notetsleep", ResourceKind::kPark, WaitPurpose::kEvent, "runtime.note"},
    {"runtime.semasleep", ResourceKind::kPark, WaitPurpose::kEvent, "runtime.note"},
    {"runtime.mPark", ResourceKind::kPark, WaitPurpose::kEvent, "runtime.note"},
});
constexpr std::array kLeaf = std::to_array<FrameRule>({
    {"runtime.futex", ResourceKind::kPark, WaitPurpose::kEvent, "runtime.note"},
});

}  // namespace

std::optional<WaitReading> DecodeGo(const DecodeContext& context) {
  const auto frames = context.thread.frames;
  if (context.call.op != FutexOp::kWait || !context.frames.api.empty()) return std::nullopt;
  const auto leaf = MatchInnermost(frames.first(std::min<std::size_t>(frames.size(), 3)), kLeaf);
  if (!leaf) return std::nullopt;
  const auto match = MatchInnermost(frames, kRules);
  return ReadingOf(context, match ? *match : *leaf, Implementation::kGo);
}

}  // namespace ct
