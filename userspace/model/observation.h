// An Observation: the state of one or many processes at the end of an interval, with how it is
// known and what was lost. Everything left of graph/ exists to build one; graph/ and detect/ are
// pure functions of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/actor.h"
#include "model/contention.h"
#include "model/edge.h"
#include "model/event_loop.h"
#include "model/forgotten.h"
#include "model/frame.h"
#include "model/hold_activity.h"
#include "model/resource.h"
#include "model/use.h"

namespace ct {

// Something that was not seen, by reason. count > 0 with `relevant` turns "nothing found" into
// "nothing found, but".
struct Loss {
  std::string reason;  // "thread not readable: reader deadline", "32-bit task", "stack truncated"
  std::uint64_t count = 0;
  bool relevant = false;  // a finding could hide behind it
  std::string detail;     // an example: "pid 4242 (java)"; may be empty
  bool operator==(const Loss&) const = default;
};

struct Host {
  std::string name;
  std::string kernel_release;
  std::string architecture;
  std::uint32_t cpus = 0;
  std::string boot_id;  // /proc/sys/kernel/random/boot_id
  bool operator==(const Host&) const = default;
};

// What looking cost.
struct Cost {
  DurationNs sweep = 0;  // kernel and user time of the sweeps in this interval
  DurationNs read = 0;   // wall time of the reader's answers
  DurationNs total = 0;  // from the command's start to this observation
  DurationNs cpu = 0;    // CPU time of the tracer's process
  DurationNs reader_cpu = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t reader_resident_bytes = 0;
  std::uint64_t threads_visited = 0;
  bool operator==(const Cost&) const = default;
};

// One memory space, for the closed-world rule: a private futex can only be woken from inside it.
struct Space {
  SpaceId id = 0;
  std::uint32_t threads = 0;  // live threads of all processes that share it, at the interval's end
  // Every one of them is an actor of this observation with what it does known.
  bool all_observed = false;
  bool operator==(const Space&) const = default;
};

struct Observation {
  Host host;
  std::string tool_version;
  TimeNs begin = 0;                // first sweep
  TimeNs end = 0;                  // last sweep: every state below is as of here
  DurationNs realtime_offset = 0;  // add to any TimeNs for ns since the epoch
  std::string filter;              // what was asked for, as text; empty = the whole host

  std::vector<Space> spaces;
  std::vector<Process> processes;
  std::vector<Actor> actors;
  std::vector<Resource> resources;
  std::vector<Wait> waits;  // at most one per actor
  std::vector<Hold> holds;
  std::vector<Use> uses;
  std::vector<Stack> stacks;
  std::vector<Module> modules;
  Contention contention;       // where waits were counted
  LoopActivity loops;          // where event loops were asked about
  HoldActivity hold_activity;  // where acquires and releases were followed
  std::vector<SwallowedException> swallowed_exceptions;
  std::vector<NeverAwaited> never_awaited;
  // Runtimes were searched for those two in this look; not in every look of a trace. Not in files.
  bool searched_for_forgotten = false;
  std::vector<Loss> losses;
  std::vector<std::string> degradations;  // what this kernel or these privileges cannot give
  Cost cost;
};

}  // namespace ct
