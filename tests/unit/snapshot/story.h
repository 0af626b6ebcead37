// Observations with names, stacks and places for the tests of snapshots and renderers: what a
// reader of an answer would know.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "model/finding.h"
#include "model/observation.h"

namespace ct::testing {

inline constexpr TimeNs kEnd = 1'000'000 * kSecond;  // of every story

inline TimeNs Ago(DurationNs age) { return kEnd - age; }

class Story {
 public:
  Story();

  Observation observation;

  ProcessIndex Process(std::string_view name, pid_t pid);
  ActorIndex Thread(ProcessIndex process, std::string_view name, pid_t tid, StackIndex stack);
  // Innermost first, each "function@file:line", "function@module.so" or "@module.so".
  StackIndex Stack(std::initializer_list<std::string_view> frames);
  ResourceIndex Mutex(std::string_view type, std::string_view symbol);
  ResourceIndex HeapMutex(std::string_view type, std::uint64_t address);
  WaitIndex Wait(ActorIndex actor, ResourceIndex resource, DurationNs age);
  HoldIndex Hold(ActorIndex actor, ResourceIndex resource);
  void Lose(std::uint64_t count, std::string_view reason, bool relevant, std::string_view detail);

  Actor& actor(ActorIndex index) { return observation.actors[static_cast<std::size_t>(index)]; }
  Resource& resource(ResourceIndex index) {
    return observation.resources[static_cast<std::size_t>(index)];
  }
  ct::Wait& wait(WaitIndex index) { return observation.waits[static_cast<std::size_t>(index)]; }
  ct::Process& process(ProcessIndex index) {
    return observation.processes[static_cast<std::size_t>(index)];
  }

 private:
  ModuleIndex ModuleNamed(std::string_view path);
};

struct Told {
  Observation observation;
  std::vector<Finding> findings;
};

// The stories of the golden files.
Told TwoThreadDeadlock();  // with 37 threads behind, as in the design's example
Told SelfDeadlock();
Told FiveCycle();
Told CrossProcessDeadlock();
Told TimedRing();
Told ClosedWorld();  // a probable deadlock without a ring
Told AbandonedLock();
Told LongWaitOnSocket();
Told LongWaitOnStopped();
Told LongWaitInKernel();  // the root is in uninterruptible sleep
Told HotLock();
Told NothingFound();
Told NothingFoundButLosses();
Told WholeHost();  // many processes, no filter
Told HostileNames();

// Of tier 2. But for the first their findings are left to Detect().
Told DeadlockWithLines();  // the two threads' deadlock, each lock with where it was taken
Told Inversion();
Told InversionOfForty();
Told LongHolds();    // of three locks, one of them without a name; with the table of all
Told PoolOfThree();  // a C++ pool, all three holders want another
Told BusyHolds();    // nothing is wrong: the table only

// Everything set that can be set, each to a value of its own.
Told Everything();

}  // namespace ct::testing
