// EVENT_LOOP_BLOCKED: iterations of an event loop that lasted, grouped by where they stood and why.
// Nobody's tasks went on meanwhile.
#include <algorithm>
#include <map>
#include <string>
#include <tuple>

#include <fmt/format.h>

#include "detect/context.h"
#include "model/names.h"

namespace ct {

namespace {

using Spot = std::tuple<ActorIndex, BlockCause, std::string, std::string, std::uint32_t>;

// Python code that computes moves on from line to line: its function is what blocks.
Spot SpotOf(const Observation& observation, const LoopBlock& block) {
  Spot spot{block.thread, block.cause, "", "", 0};
  if (block.stack < 0 || static_cast<std::size_t>(block.stack) >= observation.stacks.size()) {
    return spot;
  }
  const Frame* frame = OwnPythonFrame(observation.stacks[static_cast<std::size_t>(block.stack)]);
  if (frame == nullptr) return spot;
  std::get<2>(spot) = frame->function;
  std::get<3>(spot) = frame->file;
  if (block.cause != BlockCause::kPython) std::get<4>(spot) = frame->line;
  return spot;
}

const char* AdviceOn(BlockCause cause) {
  switch (cause) {
    case BlockCause::kPython:
      return "Run it in another process, or give the loop a turn in between";
    case BlockCause::kNative:
    case BlockCause::kSyscall:
      return "Await it, or run it in a thread (asyncio.to_thread)";
    case BlockCause::kLock:
      return "Do not wait for a thread's lock in a callback: take it in a thread";
    case BlockCause::kGil:
      return "Whoever holds the GIL should release it, or run in another process";
    case BlockCause::kGarbage:
      return "Fewer objects that live long: gc.freeze(), or gc.collect() outside of the loop";
    case BlockCause::kStopped:
      return "";
    case BlockCause::kUnknown:
      return "";
  }
  return "";
}

class BlockWriter {
 public:
  explicit BlockWriter(const Observation& observation) : observation_(observation) {}

  Finding Write(std::vector<LoopBlockIndex> indices) const {
    std::stable_sort(indices.begin(), indices.end(), [&](LoopBlockIndex a, LoopBlockIndex b) {
      return Block(a).worst > Block(b).worst;
    });
    const LoopBlock& worst = Block(indices.front());
    Finding finding;
    finding.kind = FindingKind::kEventLoopBlocked;
    finding.evidence = worst.evidence;
    finding.ending = Ending::kMayEnd;
    finding.members = {worst.thread};
    finding.since = worst.first_begin;
    for (const LoopBlockIndex index : indices) {
      finding.since = std::min(finding.since, Block(index).first_begin);
    }
    finding.advice = AdviceOn(worst.cause);
    finding.loop_blocks = std::move(indices);
    return finding;
  }

 private:
  [[nodiscard]] const LoopBlock& Block(LoopBlockIndex index) const {
    return observation_.loops.blocks[static_cast<std::size_t>(index)];
  }

  const Observation& observation_;
};

}  // namespace

std::vector<Finding> DetectBlockedLoops(DetectContext& context) {
  const Observation& observation = context.observation();
  std::map<Spot, std::vector<LoopBlockIndex>> spots;
  for (std::size_t i = 0; i < observation.loops.blocks.size(); ++i) {
    const LoopBlock& block = observation.loops.blocks[i];
    if (block.thread < 0 || static_cast<std::size_t>(block.thread) >= observation.actors.size()) {
      continue;
    }
    // It may have been somebody's want of a CPU: nobody is accused.
    if (block.cause == BlockCause::kUnknown) continue;
    // A hang that has been told says why its loop stands now.
    if (block.in_progress && context.IsExplained(block.thread)) continue;
    spots[SpotOf(observation, block)].push_back(static_cast<LoopBlockIndex>(i));
  }
  std::vector<Finding> found;
  const BlockWriter writer(observation);
  for (auto& [spot, blocks] : spots) found.push_back(writer.Write(std::move(blocks)));
  const auto lost = [&](const Finding& finding) {
    DurationNs total = 0;
    for (const LoopBlockIndex index : finding.loop_blocks) {
      total += observation.loops.blocks[static_cast<std::size_t>(index)].total;
    }
    return total;
  };
  std::stable_sort(found.begin(), found.end(),
                   [&](const Finding& a, const Finding& b) { return lost(a) > lost(b); });
  return found;
}

}  // namespace ct
