#include "probes/instruction.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <Zydis/Zydis.h>

namespace ct {
namespace {

constexpr std::uint32_t kRsp = 4;
constexpr std::uint32_t kRbp = 5;

const ZydisDecoder& Decoder() {
  static const ZydisDecoder decoder = [] {
    ZydisDecoder made;
    // Fails for modes that are none; this one is.
    (void)ZydisDecoderInit(&made, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    return made;
  }();
  return decoder;
}

// The general register that it is a part of, by its encoding; unset: of none.
std::optional<std::uint32_t> GeneralRegister(ZydisRegister reg) {
  const ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
  if (ZydisRegisterGetClass(whole) != ZYDIS_REGCLASS_GPR64) return std::nullopt;
  const ZyanI8 id = ZydisRegisterGetId(whole);
  if (id < 0 || id > 15) return std::nullopt;
  return static_cast<std::uint32_t>(id);
}

using Operands = std::span<const ZydisDecodedOperand>;

bool IsRegister(const ZydisDecodedOperand& operand, ZydisRegister reg) {
  return operand.type == ZYDIS_OPERAND_TYPE_REGISTER && operand.reg.value == reg;
}

// With the hidden operands: a syscall writes rcx, a string instruction rdi and rsi.
RegisterSet Written(Operands operands) {
  RegisterSet written = 0;
  for (const ZydisDecodedOperand& operand : operands) {
    if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER) continue;
    if ((operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) == 0) continue;
    if (const auto reg = GeneralRegister(operand.reg.value)) {
      written |= static_cast<RegisterSet>(1U << *reg);
    }
  }
  return written;
}

Flow FlowOf(const ZydisDecodedInstruction& decoded, Operands operands) {
  const bool far_away = decoded.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
  const bool direct = !operands.empty() && operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
                      operands[0].imm.is_relative != 0;
  switch (decoded.meta.category) {
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_SYSCALL:
      return Flow::kCall;
    case ZYDIS_CATEGORY_INTERRUPT:
      return decoded.mnemonic == ZYDIS_MNEMONIC_INT ? Flow::kCall : Flow::kEnd;
    case ZYDIS_CATEGORY_COND_BR:
      return direct ? Flow::kBranch : Flow::kCall;  // xend and xabort are counted as such
    case ZYDIS_CATEGORY_UNCOND_BR:
      if (far_away) return Flow::kEnd;
      return direct ? Flow::kJump : Flow::kIndirectJump;
    case ZYDIS_CATEGORY_RET:
      return decoded.mnemonic == ZYDIS_MNEMONIC_RET && !far_away ? Flow::kReturn : Flow::kEnd;
    case ZYDIS_CATEGORY_SYSRET:
      return Flow::kEnd;
    default:
      break;
  }
  switch (decoded.mnemonic) {
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_HLT:
      return Flow::kEnd;
    default:
      return Flow::kNext;
  }
}

// What branch_setup_xol_ops() and push_setup_xol_ops() of arch/x86/kernel/uprobes.c take. Whatever
// has a prefix is left alone: some the kernel refuses, and some of what it takes never fires.
ProbeCost CostOf(std::span<const std::byte> bytes) {
  const auto at = [&](std::size_t i) {
    return i < bytes.size() ? std::to_integer<unsigned>(bytes[i]) : 0x100U;
  };
  const auto is_push = [](unsigned byte) { return byte >= 0x50 && byte <= 0x57; };
  if (bytes.size() == 1 && (is_push(at(0)) || at(0) == 0x90)) return ProbeCost::kEmulated;
  if (bytes.size() == 2 && at(0) == 0x41 && is_push(at(1))) return ProbeCost::kEmulated;
  if (at(0) == 0xeb || at(0) == 0xe9) return ProbeCost::kEmulated;
  if (at(0) >= 0x70 && at(0) <= 0x7f) return ProbeCost::kEmulated;
  if (at(0) == 0x0f && at(1) >= 0x80 && at(1) <= 0x8f) return ProbeCost::kEmulated;
  if (at(0) == 0xe8) return ProbeCost::kCall;
  // The nops without a prefix of the kernel's own list (x86_nops), byte by byte.
  using std::literals::string_view_literals::operator""sv;
  static constexpr std::array kLongNops = {
      "\x0f\x1f\x00"sv, "\x0f\x1f\x40\x00"sv, "\x0f\x1f\x44\x00\x00"sv,
      "\x0f\x1f\x80\x00\x00\x00\x00"sv, "\x0f\x1f\x84\x00\x00\x00\x00\x00"sv};
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (std::find(kLongNops.begin(), kLongNops.end(), text) != kLongNops.end()) {
    return ProbeCost::kLongNop;
  }
  return ProbeCost::kSingleStepped;
}

std::optional<std::int32_t> Immediate(const ZydisDecodedOperand& operand) {
  if (operand.type != ZYDIS_OPERAND_TYPE_IMMEDIATE) return std::nullopt;
  return static_cast<std::int32_t>(operand.imm.value.s);
}

void SetStackMove(const ZydisDecodedInstruction& decoded, Operands operands,
                  Instruction& instruction) {
  const bool writes_stack = ((instruction.writes >> kRsp) & 1) != 0;
  if (!writes_stack || instruction.flow == Flow::kCall || instruction.flow == Flow::kReturn) return;
  instruction.stack = StackMove::kUnknown;
  const auto by = [&](StackMove move, std::int64_t deeper) {
    // A frame that is larger is none that is worth following.
    if (deeper < -(1 << 30) || deeper > (1 << 30)) return;
    instruction.stack = move;
    instruction.deeper = static_cast<std::int32_t>(deeper);
  };
  const std::int32_t width = decoded.operand_width / 8;
  switch (decoded.mnemonic) {
    case ZYDIS_MNEMONIC_PUSH:
    case ZYDIS_MNEMONIC_PUSHFQ:
      if (width == 8) by(StackMove::kBy, 8);
      break;
    case ZYDIS_MNEMONIC_POP:
    case ZYDIS_MNEMONIC_POPFQ:
      if (width == 8 && !IsRegister(operands[0], ZYDIS_REGISTER_RSP)) by(StackMove::kBy, -8);
      break;
    case ZYDIS_MNEMONIC_SUB:
    case ZYDIS_MNEMONIC_ADD: {
      const auto value = Immediate(operands[1]);
      if (!value || !IsRegister(operands[0], ZYDIS_REGISTER_RSP)) break;
      const std::int64_t down = *value;
      by(StackMove::kBy, decoded.mnemonic == ZYDIS_MNEMONIC_SUB ? down : -down);
      break;
    }
    case ZYDIS_MNEMONIC_LEA:
      if (!IsRegister(operands[0], ZYDIS_REGISTER_RSP)) break;
      if (operands[1].mem.index != ZYDIS_REGISTER_NONE) break;
      if (operands[1].mem.base == ZYDIS_REGISTER_RSP) {
        by(StackMove::kBy, -operands[1].mem.disp.value);
      } else if (operands[1].mem.base == ZYDIS_REGISTER_RBP) {
        by(StackMove::kFromFrame, -operands[1].mem.disp.value);
      }
      break;
    case ZYDIS_MNEMONIC_MOV:
      if (IsRegister(operands[0], ZYDIS_REGISTER_RSP) &&
          IsRegister(operands[1], ZYDIS_REGISTER_RBP)) {
        by(StackMove::kFromFrame, 0);
      }
      break;
    case ZYDIS_MNEMONIC_LEAVE:
      if (width == 8) by(StackMove::kFromFrame, -8);
      break;
    default:
      break;
  }
}

}  // namespace

std::string Instruction::Name() const {
  // As objdump writes them.
  switch (static_cast<ZydisMnemonic>(mnemonic)) {
    case ZYDIS_MNEMONIC_JZ:
      return "je";
    case ZYDIS_MNEMONIC_JNZ:
      return "jne";
    case ZYDIS_MNEMONIC_JNB:
      return "jae";
    case ZYDIS_MNEMONIC_JNBE:
      return "ja";
    case ZYDIS_MNEMONIC_JNL:
      return "jge";
    case ZYDIS_MNEMONIC_JNLE:
      return "jg";
    default:
      break;
  }
  const char* name = ZydisMnemonicGetString(static_cast<ZydisMnemonic>(mnemonic));
  return name == nullptr ? "?" : name;
}

std::optional<Instruction> DecodeInstruction(std::span<const std::byte> code,
                                             std::uint64_t address) {
  ZydisDecodedInstruction decoded;
  std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> all{};
  if (!ZYAN_SUCCESS(
          ZydisDecoderDecodeFull(&Decoder(), code.data(), code.size(), &decoded, all.data()))) {
    return std::nullopt;
  }
  const Operands operands(all.data(), std::min<std::size_t>(decoded.operand_count, all.size()));
  Instruction instruction;
  instruction.address = address;
  instruction.length = decoded.length;
  instruction.mnemonic = static_cast<std::uint16_t>(decoded.mnemonic);
  instruction.writes = Written(operands);
  instruction.flow = FlowOf(decoded, operands);
  instruction.cost = CostOf(code.first(decoded.length));
  instruction.is_nop = decoded.mnemonic == ZYDIS_MNEMONIC_NOP;
  SetStackMove(decoded, operands, instruction);
  if (instruction.HasTarget()) {
    ZyanU64 target = 0;
    if (!ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&decoded, operands.data(), address, &target))) {
      return std::nullopt;
    }
    instruction.target = target;
  }
  if (instruction.flow == Flow::kIndirectJump) {
    const ZydisDecodedOperand& to = operands[0];
    instruction.through_register = to.type == ZYDIS_OPERAND_TYPE_REGISTER;
    if (to.type == ZYDIS_OPERAND_TYPE_MEMORY) {
      instruction.indexed = to.mem.index != ZYDIS_REGISTER_NONE;
      instruction.through_rip = to.mem.base == ZYDIS_REGISTER_RIP;
    }
    instruction.no_track = (decoded.attributes & ZYDIS_ATTRIB_HAS_NOTRACK) != 0;
  }
  const bool two_registers = decoded.operand_count_visible == 2 &&
                             operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
                             operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER;
  instruction.is_add = decoded.mnemonic == ZYDIS_MNEMONIC_ADD && two_registers;
  instruction.is_load = decoded.mnemonic == ZYDIS_MNEMONIC_MOVSXD &&
                        operands[1].type == ZYDIS_OPERAND_TYPE_MEMORY &&
                        operands[1].mem.index != ZYDIS_REGISTER_NONE;
  instruction.frame_is_stack = decoded.mnemonic == ZYDIS_MNEMONIC_MOV && two_registers &&
                               IsRegister(operands[0], ZYDIS_REGISTER_RBP) &&
                               IsRegister(operands[1], ZYDIS_REGISTER_RSP);
  return instruction;
}

RegisterSet ArgumentRegister(std::uint32_t argument) {
  // rdi, rsi, rdx, rcx, r8, r9
  static constexpr std::array<std::uint32_t, 6> kRegisters = {7, 6, 2, 1, 8, 9};
  return argument < kRegisters.size() ? static_cast<RegisterSet>(1U << kRegisters[argument]) : 0;
}

}  // namespace ct
