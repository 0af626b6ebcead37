// Which Python stack makes each task of asyncio, by a uprobe on the function that initializes
// them. Nothing is sent: who asks looks up what the kernel has kept.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <sys/types.h>

#include "base/clock.h"
#include "base/result.h"
#include "model/task_probe.h"

namespace ct {

struct TaskOrigin {
  std::uint64_t stack = 0;  // see StackOf
  TimeNs made_at = 0;
};

struct OriginStack {
  std::vector<CodePoint> frames;  // innermost first, without those of the interpreter's own
  bool truncated = false;         // there are more at the outer end
};

struct TaskOriginCounters {
  std::uint64_t made = 0;
  std::uint64_t lost_thread = 0;  // of those: whoever made it is not whom the GIL names
  std::uint64_t lost_frame = 0;   // its innermost frame could not be read
  std::uint64_t lost_stack = 0;   // more different stacks than are kept
};

// Not thread-safe. While it lives its programs are attached; when it ends, or its process does, the
// kernel takes them off.
class TaskOriginTracer {
 public:
  // Addresses that are remembered; past it those that were used last.
  static constexpr std::uint64_t kMaxTasks = 131'072;

  // Attaches nothing yet. kPermission, kUnsupported with one line.
  static Result<std::unique_ptr<TaskOriginTracer>> Load();
  virtual ~TaskOriginTracer() = default;

  // Follows this process, until Remove or until it ends (then its pid may be another's: see
  // IsAlive). The file is opened by the mapping that the probe names, never by its path.
  virtual Status Add(pid_t pid, const TaskProbe& probe) = 0;
  virtual void Remove(pid_t pid) = 0;
  // It is followed, and is the process that was added.
  [[nodiscard]] virtual bool IsAlive(pid_t pid) const = 0;

  // Of the last task that was made at this address; nullopt: none since Add, or not known.
  virtual std::optional<TaskOrigin> OriginOf(pid_t pid, std::uint64_t task) = 0;
  virtual std::optional<OriginStack> StackOf(pid_t pid, std::uint64_t stack) = 0;
  virtual Result<TaskOriginCounters> Counters() = 0;
};

}  // namespace ct
