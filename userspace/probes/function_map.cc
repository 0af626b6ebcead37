#include "probes/function_map.h"

#include <algorithm>

#include <fmt/format.h>

namespace ct {
namespace {

// A switch's range check, load, add and jump lie close together.
constexpr std::size_t kTableIdiom = 8;

}  // namespace

std::string RelativeTo(std::uint64_t function, std::uint64_t address) {
  return address >= function ? fmt::format("+{:#x}", address - function)
                             : fmt::format("-{:#x}", function - address);
}

FunctionMap::FunctionMap(std::span<const std::byte> code, std::uint64_t address,
                         std::span<const CodeRange> others) {
  TakeApart({address, code}, address);
  for (const CodeRange& part : others.first(std::min(others.size(), kMaxOtherParts))) {
    const std::uint64_t end = part.address + part.code.size();
    const bool overlaps =
        end < part.address ||
        std::any_of(ranges_.begin(), ranges_.end(), [&](const CodeRange& range) {
          return part.address < range.address + range.code.size() && range.address < end;
        });
    if (!overlaps && !part.code.empty()) TakeApart(part, address);
  }
  if (others.size() > kMaxOtherParts && !gap_) {
    gap_ = fmt::format("it goes on in more than {} other places", kMaxOtherParts);
  }
  FollowStack();
}

void FunctionMap::TakeApart(const CodeRange& range, std::uint64_t function) {
  const std::string name = RelativeTo(function, range.address);
  if (range.code.size() >= kMaxFunctionCode && !gap_) {
    gap_ = fmt::format("the code at {} is longer than the {} KiB that are looked at", name,
                       kMaxFunctionCode >> 10);
  }
  const auto code = range.code.first(std::min(range.code.size(), kMaxFunctionCode));
  std::vector<Instruction> instructions;
  for (std::size_t at = 0; at < code.size();) {
    const auto instruction = DecodeInstruction(code.subspan(at), range.address + at);
    if (!instruction) {
      if (!gap_) {
        gap_ = fmt::format("no instruction at {}", RelativeTo(function, range.address + at));
      }
      break;
    }
    at += instruction->length;
    instructions.push_back(*instruction);
  }
  ranges_.push_back({range.address, code});
  depths_.emplace_back(instructions.size());
  parts_.push_back(std::move(instructions));
}

bool FunctionMap::Contains(std::uint64_t address) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const CodeRange& range) {
    return address >= range.address && address - range.address < range.code.size();
  });
}

std::optional<FunctionMap::Place> FunctionMap::Find(std::uint64_t address) const {
  for (std::size_t part = 0; part < parts_.size(); ++part) {
    const auto& instructions = parts_[part];
    const auto found = std::lower_bound(instructions.begin(), instructions.end(), address,
                                        [](const Instruction& instruction, std::uint64_t wanted) {
                                          return instruction.address < wanted;
                                        });
    if (found != instructions.end() && found->address == address) {
      return Place{part, static_cast<std::size_t>(found - instructions.begin())};
    }
  }
  return std::nullopt;
}

FunctionMap::Depth FunctionMap::After(const Instruction& instruction, const Depth& before) {
  Depth after = before;
  if (instruction.stack == StackMove::kUnknown) {
    after.stack.reset();
  } else {
    const auto& from = instruction.stack == StackMove::kBy ? before.stack : before.frame;
    after.stack.reset();
    // A single move is at most 1 GiB, so that no sum overflows.
    if (from && *from > -(1 << 29) && *from < (1 << 29)) after.stack = *from + instruction.deeper;
  }
  constexpr RegisterSet kFramePointer = 1U << 5;
  if (instruction.frame_is_stack) {
    after.frame = before.stack;
  } else if ((instruction.writes & kFramePointer) != 0) {
    after.frame.reset();
  }
  return after;
}

// Every instruction's state changes at most three times (reached, stack lost, frame lost), so the
// work is bounded by three times the number of ways between instructions.
void FunctionMap::FollowStack() {
  if (parts_[0].empty()) return;
  depths_[0][0] = {true, 0, std::nullopt};
  std::vector<Place> work = {{0, 0}};
  const auto reach = [&](Place place, const Depth& state) {
    Depth& known = depths_[place.part][place.index];
    Depth merged = state;
    if (known.reached) {
      if (merged.stack != known.stack) merged.stack.reset();
      if (merged.frame != known.frame) merged.frame.reset();
      if (merged.stack == known.stack && merged.frame == known.frame) return;
    }
    merged.reached = true;
    known = merged;
    work.push_back(place);
  };
  while (!work.empty()) {
    const Place place = work.back();
    work.pop_back();
    const Instruction& instruction = parts_[place.part][place.index];
    const Depth after = After(instruction, depths_[place.part][place.index]);
    if (instruction.HasTarget()) {
      if (const auto target = Find(instruction.target)) reach(*target, after);
    }
    const bool goes_on = instruction.flow == Flow::kNext || instruction.flow == Flow::kCall ||
                         instruction.flow == Flow::kBranch;
    if (goes_on && place.index + 1 < parts_[place.part].size()) {
      reach({place.part, place.index + 1}, after);
    }
  }
}

bool FunctionMap::IsTableJump(std::size_t part, std::size_t index) const {
  const Instruction& jump = parts_[part][index];
  if (jump.through_rip) return false;
  if (jump.no_track) return true;
  // A tail call leaves the stack as it found it.
  const auto depth = depths_[part][index].stack;
  if (depth && *depth != 0) return true;
  if (!jump.through_register) return false;
  bool added = false;
  for (std::size_t back = 1; back <= std::min(index, kTableIdiom); ++back) {
    const Instruction& before = parts_[part][index - back];
    if (before.flow != Flow::kNext) break;
    if (before.is_add) added = true;
    if (before.is_load && added) return true;
  }
  return false;
}

}  // namespace ct
