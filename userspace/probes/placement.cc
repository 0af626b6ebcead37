#include "probes/placement.h"

#include <algorithm>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "probes/function_map.h"

namespace ct {
namespace {

// Ways back into the middle of a function: who takes one passes what lies there a second time.
struct WaysBack {
  // The lowest address behind the first instruction that a direct jump goes to, and the jump.
  std::uint64_t lowest = UINT64_MAX;
  std::uint64_t lowest_from = 0;
  // A jump to the first instruction: a loop, or a tail call of itself.
  std::optional<std::uint64_t> to_first_from;
  // Jumps that may go to anything that has the same stack depth, and one of them.
  std::set<std::int32_t> depths;
  std::uint64_t unknown_from = 0;
  // One whose depth is not known: may go anywhere.
  bool anywhere = false;
};

WaysBack FindWaysBack(const FunctionMap& map, std::uint64_t function) {
  WaysBack ways;
  for (std::size_t part = 0; part < map.parts().size(); ++part) {
    for (std::size_t index = 0; index < map.parts()[part].size(); ++index) {
      const Instruction& instruction = map.parts()[part][index];
      if (instruction.HasTarget() && instruction.target == function) {
        ways.to_first_from = instruction.address;
      }
      if (instruction.HasTarget() && instruction.target > function &&
          instruction.target < ways.lowest) {
        ways.lowest = instruction.target;
        ways.lowest_from = instruction.address;
      }
      const auto depth = map.DepthAt(part, index);
      // The targets of a jump table are code of this function's, with this depth. An import is
      // never one. What is split off has no jump tables into what it was split off from.
      const bool indirect =
          part == 0 && instruction.flow == Flow::kIndirectJump && !instruction.through_rip;
      // What is split off may come back: at the same depth again. Where the stack is as the
      // function found it, a jump without condition is a tail call.
      const bool tail_call = instruction.flow == Flow::kJump && depth == 0;
      const bool unseen =
          instruction.HasTarget() && !map.Contains(instruction.target) && !tail_call;
      if (!indirect && !unseen) continue;
      ways.unknown_from = instruction.address;
      if (depth) {
        ways.depths.insert(*depth);
      } else {
        ways.anywhere = true;
      }
    }
  }
  return ways;
}

struct Candidate {
  const Instruction* instruction = nullptr;
  std::int32_t depth = 0;
};

// The instructions of the entry block up to where one is no longer safe, and why it ends there.
struct EntryBlock {
  std::vector<Candidate> safe;
  std::string end;
};

EntryBlock WalkEntryBlock(const FunctionMap& map, const WaysBack& ways, RegisterSet wanted) {
  const auto& code = map.parts()[0];
  const std::uint64_t function = code[0].address;
  EntryBlock block;
  std::int32_t depth = 0;
  for (const Instruction& instruction : code) {
    const std::string at = RelativeTo(function, instruction.address);
    if (&instruction != &code[0]) {
      if (instruction.address >= ways.lowest) {
        block.end =
            fmt::format("a jump at {} comes back to {}", RelativeTo(function, ways.lowest_from),
                        RelativeTo(function, ways.lowest));
        return block;
      }
      if (ways.anywhere || ways.depths.contains(depth)) {
        block.end =
            fmt::format("a jump at {} may come back", RelativeTo(function, ways.unknown_from));
        return block;
      }
      block.safe.push_back({&instruction, depth});
    }
    if (instruction.flow != Flow::kNext) {
      block.end = fmt::format("not every call gets past the {} at {}", instruction.Name(), at);
      return block;
    }
    if ((instruction.writes & wanted) != 0) {
      block.end = fmt::format("the {} at {} overwrites an argument", instruction.Name(), at);
      return block;
    }
    if (instruction.stack != StackMove::kBy || depth + instruction.deeper < 0) {
      block.end =
          fmt::format("the {} at {} moves the stack pointer in a way that cannot be followed",
                      instruction.Name(), at);
      return block;
    }
    depth += instruction.deeper;
  }
  block.end = "its code ends";
  return block;
}

EntryPlacement Chosen(const Candidate& candidate, std::uint64_t function, const WaysBack& ways,
                      std::string_view reason) {
  EntryPlacement placement;
  const Instruction& instruction = *candidate.instruction;
  placement.offset = static_cast<std::uint32_t>(instruction.address - function);
  placement.emulated =
      instruction.cost == ProbeCost::kEmulated || instruction.cost == ProbeCost::kCall;
  placement.pushed = static_cast<std::uint32_t>(candidate.depth);
  placement.why = fmt::format("+{} {}: {}", placement.offset, instruction.Name(), reason);
  if (ways.to_first_from) {
    placement.why += fmt::format("; a jump at {} makes one call pass it again",
                                 RelativeTo(function, *ways.to_first_from));
  }
  return placement;
}

}  // namespace

std::vector<std::uint64_t> JumpsOut(std::span<const std::byte> code, std::uint64_t address,
                                    std::span<const CodeRange> others) {
  const FunctionMap map(code, address, others);
  std::set<std::uint64_t> targets;
  for (const auto& part : map.parts()) {
    for (const Instruction& instruction : part) {
      if (instruction.HasTarget() && !map.Contains(instruction.target)) {
        targets.insert(instruction.target);
      }
    }
  }
  return {targets.begin(), targets.end()};
}

Result<EntryPlacement> PlaceEntry(std::span<const std::byte> code, std::uint64_t address,
                                  std::span<const std::uint32_t> arguments,
                                  std::span<const CodeRange> others) {
  RegisterSet wanted = 0;
  for (const std::uint32_t argument : arguments) {
    const RegisterSet reg = ArgumentRegister(argument);
    if (reg == 0) {
      return Fail(ErrorCode::kUsage, fmt::format("argument {} is in no register", argument));
    }
    wanted |= reg;
  }
  const FunctionMap map(code, address, others);
  if (map.parts()[0].empty()) {
    return Fail(ErrorCode::kMalformed, "no instruction at the function's beginning");
  }
  const Candidate entry = {map.parts()[0].data(), 0};
  const WaysBack ways = FindWaysBack(map, address);
  const auto choose = [&](const Candidate& candidate, std::string_view reason) {
    return Chosen(candidate, address, ways, reason);
  };
  const ProbeCost first = entry.instruction->cost;
  if (first == ProbeCost::kEmulated || first == ProbeCost::kCall) {
    return choose(entry, "its first instruction, emulated");
  }
  if (map.gap()) return choose(entry, fmt::format("single-stepped: {}", *map.gap()));

  const EntryBlock block = WalkEntryBlock(map, ways, wanted);
  const auto cheapest = [&](ProbeCost cost) {
    return std::find_if(block.safe.begin(), block.safe.end(), [&](const Candidate& candidate) {
      return candidate.instruction->cost == cost;
    });
  };
  if (const auto found = cheapest(ProbeCost::kEmulated); found != block.safe.end()) {
    return choose(*found, "first emulated instruction that every call passes");
  }
  if (first == ProbeCost::kLongNop) {
    return choose(entry, "its first instruction, emulated by kernels since 6.16");
  }
  if (const auto found = cheapest(ProbeCost::kLongNop); found != block.safe.end()) {
    return choose(*found, "emulated by kernels since 6.16");
  }
  return choose(entry, fmt::format("single-stepped: {}", block.end));
}

}  // namespace ct
