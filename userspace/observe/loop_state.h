// An event loop that stands while it is looked at, told from its state alone.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "model/observation.h"
#include "observe/loop_cause.h"
#include "observe/python_look.h"

namespace ct {

// Adds a row for the samples of one iteration, and what was judged of them.
void AddBlock(std::span<const LoopSample> samples, const BlockJudgement& judgement, LoopBlock row,
              Observation& observation);

struct LoopStatePlace {
  DurationNs threshold = 0;
  // The sweeps around both looks.
  TimeNs begin = 0;
  TimeNs end = 0;
  // What the sweeps say of a thread: its actor, kNoIndex if there is none; what it did after the
  // second look; and since when it has slept, if it slept through both looks.
  struct Thread {
    ActorIndex actor = kNoIndex;
    ThreadActivity activity;
    std::optional<TimeNs> slept_since;
    DurationNs ran = 0;  // CPU time that it used between the sweeps
  };
  std::function<Thread(const PythonThread& thread)> thread;
};

// Loops of asyncio's own whose iteration was in progress at both looks, and lasted though the
// thread had a CPU or slept; of others those whose thread slept through both in a call that is no
// selector's.
void AddLoopStates(const PythonLook& look, const LoopStatePlace& place, Observation& observation);

}  // namespace ct
