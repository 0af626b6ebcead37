#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "probes/function_map.h"
#include "probes/placement.h"

namespace ct {
namespace {

// Whether what follows the part's last instruction is never reached; compilers end a function in a
// call when what it calls never returns.
bool Ends(const std::vector<Instruction>& part) {
  const auto last = std::find_if(part.rbegin(), part.rend(), [](const Instruction& instruction) {
    return !instruction.is_nop;
  });
  if (last == part.rend()) return false;
  return last->flow != Flow::kNext && last->flow != Flow::kBranch;
}

// A way in which a call can leave by this instruction that is no return. Unset: there is none.
std::optional<std::string> OtherWay(const FunctionMap& map, std::size_t part, std::size_t index,
                                    std::uint64_t function) {
  const Instruction& instruction = map.parts()[part][index];
  const std::string at = RelativeTo(function, instruction.address);
  if (instruction.HasTarget() && !map.Contains(instruction.target)) {
    return fmt::format("leaves by a jump at {} to {}", at,
                       RelativeTo(function, instruction.target));
  }
  if (instruction.flow == Flow::kIndirectJump && !map.IsTableJump(part, index)) {
    return fmt::format("leaves by an indirect jump at {}", at);
  }
  return std::nullopt;
}

}  // namespace

Result<std::vector<std::uint64_t>> FindReturns(std::span<const std::byte> code,
                                               std::uint64_t address,
                                               std::span<const CodeRange> others) {
  const FunctionMap map(code, address, others);
  if (map.gap()) return Fail(ErrorCode::kUnsupported, *map.gap());
  std::vector<std::uint64_t> returns;
  for (std::size_t part = 0; part < map.parts().size(); ++part) {
    const auto& instructions = map.parts()[part];
    if (!Ends(instructions)) {
      return Fail(ErrorCode::kUnsupported, fmt::format("the code at {} goes on past its end",
                                                       RelativeTo(address, map.AddressOf(part))));
    }
    for (std::size_t index = 0; index < instructions.size(); ++index) {
      if (const auto way = OtherWay(map, part, index, address)) {
        return Fail(ErrorCode::kUnsupported, *way);
      }
      if (instructions[index].flow == Flow::kReturn) {
        returns.push_back(instructions[index].address);
      }
    }
  }
  if (returns.empty()) return Fail(ErrorCode::kUnsupported, "it has no return instruction");
  std::sort(returns.begin(), returns.end());
  return returns;
}

}  // namespace ct
