// Event loops: threads that run many tasks in turn, and the iterations in which they did not.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/actor.h"
#include "model/edge.h"
#include "model/frame.h"

namespace ct {

using LoopBlockIndex = std::int32_t;

// What the thread was doing while its loop stood.
enum class BlockCause : std::uint8_t {
  kUnknown,  // nobody looked in time
  kPython,   // Python code
  kNative,   // C code that a Python line called
  kSyscall,  // slept in a system call
  kLock,     // waited for a lock
  kGil,      // waited for the GIL
  kGarbage,  // collected garbage
  kStopped,  // could have run and was not let: stopped, or traced
};

// Iterations of one loop that stood at the same place for the same cause.
struct LoopBlock {
  ActorIndex thread = kNoIndex;
  BlockCause cause = BlockCause::kUnknown;
  Evidence evidence = Evidence::kUnknown;  // of the cause
  std::string
      detail;        // "read on socket 10.0.0.4:5432", "held by worker (4243) in ..."; may be empty
  std::string task;  // that ran; empty: a callback that is no task, or not known
  bool several = false;         // looks at one iteration saw more than one callback or task
  StackIndex stack = kNoIndex;  // of the longest
  std::uint64_t count = 0;
  DurationNs total = 0;
  DurationNs worst = 0;
  TimeNs worst_begin = 0;
  TimeNs first_begin = 0;
  DurationNs worst_queued = 0;  // of the longest: the thread could run and had no CPU
  bool in_progress = false;     // the one iteration of this row has not ended yet
  bool operator==(const LoopBlock&) const = default;
};

// An event loop's iterations, from the exit of its selector to the next entry.
struct EventLoop {
  ActorIndex thread = kNoIndex;
  std::uint64_t iterations = 0;
  DurationNs total = 0;
  DurationNs max = 0;
  // Of them, as long as LoopActivity::threshold without the time in which the thread could run and
  // had no CPU; and those as long only because of it, which are nobody's block.
  std::uint64_t slow = 0;
  DurationNs slow_total = 0;
  std::uint64_t starved = 0;
  DurationNs starved_total = 0;
  bool operator==(const EventLoop&) const = default;
};

struct LoopActivity {
  TimeNs since = 0;          // watched from here to the observation's end; 0: only looked at
  DurationNs threshold = 0;  // from which length on an iteration is in `blocks`; 0: not asked for
  std::vector<EventLoop> loops;
  std::vector<LoopBlock> blocks;
  bool operator==(const LoopActivity&) const = default;
};

}  // namespace ct
