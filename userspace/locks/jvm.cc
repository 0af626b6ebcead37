// HotSpot parks its threads on a condition variable (os::PlatformEvent, Parker) of each thread;
// its frames say for what. The monitor itself is the JVM's own business: a runtime inspector's.
#include <array>
#include <string_view>

#include "locks/frame_rules.h"

namespace ct {
namespace {

// Innermost first: Object.wait() ends in ReenterI inside ObjectMonitor::wait.
constexpr std::array kRules = std::to_array<FrameRule>({
    {"ObjectMonitor::enter", ResourceKind::kMutex, WaitPurpose::kAcquire, "Java monitor"},
    {"ObjectMonitor::EnterI", ResourceKind::kMutex, WaitPurpose::kAcquire, "Java monitor"},
    {"ObjectMonitor::ReenterI", ResourceKind::kMutex, WaitPurpose::kAcquire, "Java monitor"},
    {"ObjectMonitor::wait", ResourceKind::kCondition, WaitPurpose::kEvent, "Object.wait"},
    {"JavaThread::sleep", ResourceKind::kPark, WaitPurpose::kEvent, "Thread.sleep"},
    {"Unsafe_Park", ResourceKind::kPark, WaitPurpose::kEvent, "LockSupport.park"},
    {"Parker::park", ResourceKind::kPark, WaitPurpose::kEvent, "LockSupport.park"},
});

bool InLibjvm(const DecodeContext& context) {
  const auto frames = context.thread.frames;
  if (context.frames.callers >= frames.size()) return false;
  const auto module = static_cast<std::size_t>(frames[context.frames.callers].module);
  return module < context.thread.modules.size() &&
         context.thread.modules[module].path.find("libjvm.so") != std::string::npos;
}

}  // namespace

void RefineJvm(const DecodeContext& context, WaitReading& reading) {
  if (reading.kind != ResourceKind::kCondition || !InLibjvm(context)) return;
  reading.implementation = Implementation::kJvm;
  const auto match = MatchInnermost(context.thread.frames.subspan(context.frames.callers), kRules);
  reading.kind = match ? match->rule->kind : ResourceKind::kPark;
  reading.purpose = match ? match->rule->purpose : WaitPurpose::kEvent;
  reading.type = match ? match->rule->type : "HotSpot thread";
  if (reading.kind == ResourceKind::kMutex) ForgetTimeout(reading);  // _Responsible rechecks
  if (match) {
    reading.evidence_note =
        "frames in " + std::string(match->rule->text) + "; sleeps on its own condition variable";
  }
}

}  // namespace ct
