#include "runtimes/cpython/bytecode.h"

#include <algorithm>

namespace ct::cpython {
namespace {

constexpr std::size_t kUnit = 2;  // _Py_CODEUNIT: opcode, argument
constexpr std::size_t kMaxAttributes = 8;
constexpr std::size_t kMaxArguments = 64;  // instructions between a method and its call
constexpr std::size_t kAwaitStarts = 4;    // GET_AWAITABLE, LOAD_CONST, SEND; 3.15 has one more
// RESUME, JUMP_BACKWARD_NO_INTERRUPT, END_SEND and what 3.13 puts between.
constexpr std::size_t kAwaitEnds = 6;
constexpr std::size_t kTestStarts = 3;  // TO_BOOL and the like between a local and the branch

// The first instruction of this kind in [begin, end).
std::size_t Find(const std::vector<Instruction>& code, std::size_t begin, std::size_t end, Op op) {
  end = std::min(end, code.size());
  for (std::size_t i = begin; i < end; ++i) {
    if (code[i].op == op) return i;
  }
  return code.size();
}

class Scanner {
 public:
  Scanner(const std::vector<Instruction>& code, std::uint32_t minor) : code_(code), minor_(minor) {}

  NameAccesses Run() {
    for (std::size_t i = 0; i < code_.size(); ++i) {
      if (code_[i].op == Op::kYield) out_.yields.push_back(code_[i].offset);
      if (code_[i].op == Op::kLoadGlobal || code_[i].op == Op::kLoadLocal) Follow(i);
    }
    return std::move(out_);
  }

 private:
  // 3.12 gave the lowest bit of LOAD_ATTR's argument to "a method that is called".
  [[nodiscard]] std::uint32_t NameOf(const Instruction& at) const {
    const bool shifted = at.op == Op::kLoadGlobal || (at.op == Op::kLoadAttribute && minor_ >= 12);
    return shifted ? at.argument >> 1 : at.argument;
  }
  [[nodiscard]] bool IsCalled(const Instruction& at) const {
    return at.op == Op::kLoadMethod ||
           (at.op == Op::kLoadAttribute && minor_ >= 12 && (at.argument & 1) != 0);
  }

  void Follow(std::size_t root) {
    NameAccess access;
    access.root_is_global = code_[root].op == Op::kLoadGlobal;
    access.root = NameOf(code_[root]);
    for (std::size_t i = root + 1; i < code_.size(); ++i) {
      const Instruction& at = code_[i];
      const bool loads = at.op == Op::kLoadAttribute || at.op == Op::kLoadMethod;
      if (!loads && at.op != Op::kStoreAttribute) return;
      if (access.attributes.size() == kMaxAttributes) return;
      access.attributes.push_back(NameOf(at));
      access.offset = at.offset;
      access.use = NameUse::kLoad;
      if (at.op == Op::kStoreAttribute) access.use = NameUse::kStore;
      if (IsCalled(at)) {
        access.use = NameUse::kCall;
        FindReturn(i, access);
      }
      out_.accesses.push_back(access);
      if (access.use != NameUse::kLoad) return;
    }
  }

  // Its call is the one that those of its arguments have left over.
  [[nodiscard]] std::size_t CallOf(std::size_t method) const {
    const std::size_t end = std::min(method + kMaxArguments, code_.size());
    int open = 1;
    for (std::size_t i = method + 1; i < end; ++i) {
      const Instruction& at = code_[i];
      const bool opens = at.op == Op::kLoadGlobal && (at.argument & 1) != 0;
      if (opens || IsCalled(at) || at.op == Op::kPushNull) ++open;
      if (at.op == Op::kCall && --open == 0) return i;
    }
    return code_.size();
  }

  void FindReturn(std::size_t method, NameAccess& access) const {
    const std::size_t call = CallOf(method);
    if (call == code_.size()) {
      access.done = ~0U;
      return;
    }
    const Instruction& argument = code_[method + 1];
    if (argument.op == Op::kLoadLocal) access.argument = argument.argument;
    access.done = code_[call].end - kUnit;
    access.call = code_[call].offset;
    std::size_t next = call + 1;
    const std::size_t send = Find(code_, next, next + kAwaitStarts, Op::kSend);
    if (send != code_.size()) {
      const std::size_t yield = Find(code_, send, send + kAwaitEnds, Op::kYield);
      if (yield == code_.size()) return;
      // While it is suspended there, the next instruction is the RESUME behind.
      access.done = code_[yield].end + kUnit;
      next = yield + 1;
    }
    const std::size_t end = std::min(next + (send != code_.size() ? kAwaitEnds : 1), code_.size());
    for (std::size_t i = next; i < end; ++i) {
      // Back to the SEND.
      if (code_[i].op == Op::kOther || code_[i].op == Op::kPushNull ||
          code_[i].op == Op::kJumpBack) {
        continue;
      }
      if (code_[i].op == Op::kStoreLocal) access.result = code_[i].argument;
      access.ignored = code_[i].op == Op::kPop;
      return;
    }
  }

  const std::vector<Instruction>& code_;
  std::uint32_t minor_;
  NameAccesses out_;
};

// Along all ways that the code may take, but for exceptions.
class Walk {
 public:
  // `slot`: a local that has something on all of them.
  Walk(const std::vector<Instruction>& code, std::optional<std::uint32_t> slot)
      : code_(code), slot_(slot), seen_(code.size()) {}

  // nullptr if there is nothing left.
  const Instruction* Next() {
    if (todo_.empty()) return nullptr;
    const std::size_t at = todo_.back();
    todo_.pop_back();
    return &code_[at];
  }
  // It led out of the code.
  [[nodiscard]] bool lost() const { return lost_; }

  // To the first instruction that does not begin before.
  void GoTo(std::uint64_t offset) {
    const auto found = std::partition_point(
        code_.begin(), code_.end(), [&](const Instruction& at) { return at.offset < offset; });
    const auto index = static_cast<std::size_t>(found - code_.begin());
    if (index == code_.size()) {
      lost_ = true;
    } else if (!seen_[index]) {
      seen_[index] = true;
      todo_.push_back(index);
    }
  }

  // To what may come after an instruction of the code.
  void Follow(const Instruction& instruction) {
    const auto at = static_cast<std::size_t>(&instruction - code_.data());
    const std::uint64_t distance = std::uint64_t{instruction.argument} * kUnit;
    const std::uint64_t there = instruction.end + distance;
    const std::uint64_t back = instruction.end - std::min<std::uint64_t>(distance, instruction.end);
    switch (instruction.op) {
      case Op::kRaise:
      case Op::kReturn:
        break;
      case Op::kJump:
        GoTo(there);
        break;
      case Op::kJumpBack:
        GoTo(back);
        break;
      case Op::kBranchBack:
        GoTo(back);
        GoTo(instruction.end);
        break;
      case Op::kBranchIf:
        GoTo(there);
        if (!AsksWhetherThereIsOne(at)) GoTo(instruction.end);
        break;
      case Op::kBranchUnless:
        if (!AsksWhetherThereIsOne(at)) GoTo(there);
        GoTo(instruction.end);
        break;
      case Op::kBranch:
      case Op::kSend:
        GoTo(there);
        GoTo(instruction.end);
        break;
      default:
        GoTo(instruction.end);
    }
  }

 private:
  // "if connection:", "if connection is not None:"
  [[nodiscard]] bool AsksWhetherThereIsOne(std::size_t branch) const {
    for (std::size_t i = branch; i-- > 0;) {
      if (code_[i].op == Op::kOther && branch - i < kTestStarts) continue;
      return slot_ && code_[i].op == Op::kLoadLocal && code_[i].argument == *slot_;
    }
    return false;
  }

  const std::vector<Instruction>& code_;
  std::optional<std::uint32_t> slot_;
  std::vector<bool> seen_;
  std::vector<std::size_t> todo_;
  bool lost_ = false;
};

}  // namespace

bool NameAccess::SameObject(const NameAccess& other) const {
  return root_is_global == other.root_is_global && root == other.root &&
         std::equal(attributes.begin(), attributes.end() - 1, other.attributes.begin(),
                    other.attributes.end() - 1);
}

std::vector<Instruction> Disassemble(std::span<const std::byte> bytecode, std::uint32_t minor) {
  std::vector<Instruction> code;
  const auto* const table = OpcodesOf(minor);
  if (table == nullptr) return code;
  std::uint32_t extended = 0;
  const std::size_t units = std::min(bytecode.size() / kUnit, kMaxInstructions);
  for (std::size_t unit = 0; unit < units; ++unit) {
    const auto number = static_cast<std::uint8_t>(bytecode[unit * kUnit]);
    const Opcode opcode = (*table)[number];
    const std::uint32_t argument =
        extended << 8 | static_cast<std::uint8_t>(bytecode[unit * kUnit + 1]);
    extended = opcode.op == Op::kExtendedArgument ? argument : 0;
    if (opcode.op == Op::kExtendedArgument) continue;
    Instruction at;
    at.offset = static_cast<std::uint32_t>(unit * kUnit);
    unit += opcode.caches;
    at.end = static_cast<std::uint32_t>((unit + 1) * kUnit);
    const auto add = [&](Op op, std::uint32_t value) {
      at.op = op;
      at.argument = value;
      code.push_back(at);
    };
    switch (opcode.op) {
      case Op::kLoadTwoLocals:
        add(Op::kLoadLocal, argument >> 4);
        add(Op::kLoadLocal, argument & 15);
        break;
      case Op::kStoreTwoLocals:
        add(Op::kStoreLocal, argument >> 4);
        add(Op::kStoreLocal, argument & 15);
        break;
      case Op::kStoreLoadLocal:
        add(Op::kStoreLocal, argument >> 4);
        add(Op::kLoadLocal, argument & 15);
        break;
      case Op::kOther:
        add(JumpOf(minor, number), argument);
        break;
      default:
        add(opcode.op, argument);
    }
  }
  return code;
}

NameAccesses FindNameAccesses(const std::vector<Instruction>& code, std::uint32_t minor) {
  return Scanner(code, minor).Run();
}

bool IsAlwaysHandedOn(const std::vector<Instruction>& code, const Possession& possession) {
  Walk walk(code, possession.slot);
  walk.GoTo(possession.begin);
  bool reached = false;
  while (const Instruction* at = walk.Next()) {
    const auto& ends = possession.handed_on;
    if (std::find(ends.begin(), ends.end(), at->offset) != ends.end()) {
      reached = true;
    } else if (at->op == Op::kReturn || at->offset == possession.taken) {
      return false;
    } else {
      walk.Follow(*at);
    }
  }
  return reached && !walk.lost();
}

bool MayReach(const std::vector<Instruction>& code, std::uint32_t from, std::uint32_t to,
              const std::vector<std::uint32_t>& past) {
  Walk walk(code, std::nullopt);
  walk.GoTo(from);
  while (const Instruction* at = walk.Next()) {
    if (std::find(past.begin(), past.end(), at->offset) != past.end()) continue;
    if (at->offset <= to && to < at->end) return true;
    walk.Follow(*at);
  }
  return false;
}

}  // namespace ct::cpython
