#include "target/unwinder.h"

#include <array>
#include <cstring>

#include "target/call_site.h"
#include "target/dwarf_expression.h"
#include "target/memory_cache.h"

namespace ct {
namespace {

constexpr std::uint32_t kAllRegisters = (1u << kX86RegisterCount) - 1;
constexpr std::uint32_t kGuessedRegisters = 1u << kRip | 1u << kRsp;
constexpr std::uint64_t kWord = 8;
// How far a frame pointer may lie from the stack pointer, and how far a scan goes.
constexpr std::uint64_t kMaxFrameSize = 1 << 20;
constexpr std::uint64_t kMaxScan = 16 << 10;
// A direct call to the very function that we are in is believed over nearer, weaker candidates
// when it lies within this distance.
constexpr std::uint64_t kMaxStrongScan = 2 << 10;

enum class Step : std::uint8_t { kCaller, kOutermost, kNoInformation, kUnreadable };

class Unwinder {
 public:
  Unwinder(const Registers& registers, Memory& memory, CodeMap& code)
      : registers_(registers), memory_(memory), code_(code) {}

  RawStack Run(std::uint32_t max_frames) {
    RawStack stack;
    stack.frames.reserve(32);
    while (stack.frames.size() < max_frames) {
      RawFrame frame{.pc = registers_.pc(),
                     .lookup_pc = registers_.pc() - (is_caller_ ? 1 : 0),
                     .cfa = registers_.sp(),
                     .guessed = guessed_};
      const Step step = Advance(frame);
      stack.frames.push_back(frame);
      if (step == Step::kCaller) continue;
      stack.end = step == Step::kOutermost    ? StackEnd::kComplete
                  : step == Step::kUnreadable ? StackEnd::kUnreadable
                                              : StackEnd::kNoUnwindInfo;
      return stack;
    }
    stack.end = StackEnd::kTooDeep;
    return stack;
  }

 private:
  // Replaces the registers by the caller's.
  Step Advance(RawFrame& frame) {
    const Code code = FindCode(frame.lookup_pc);  // a copy: the next question replaces it
    const UnwindRow* row = code.table != nullptr ? code.table->Find(code.vaddr) : nullptr;
    if (row != nullptr) {
      const Step step = AdvanceByRow(*code.table, *row, frame);
      const bool retry = step == Step::kNoInformation && registers_are_guessed_;
      return retry ? AdvanceByGuess(code, frame) : step;
    }
    if (AdvanceBySignalFrame(frame)) return Step::kCaller;
    return AdvanceByGuess(code, frame);
  }

  Step AdvanceByRow(const UnwindTable& table, const UnwindRow& row, RawFrame& frame) {
    if (row.signal_frame) frame.lookup_pc = frame.pc;
    const auto cfa = Cfa(table, row);
    if (cfa) frame.cfa = *cfa;
    if (row.return_undefined) return Step::kOutermost;
    if (!cfa) return Step::kNoInformation;
    // A signal handler may run on a stack of its own, so only there may the stack jump.
    const bool grows = *cfa > registers_.sp() || (*cfa == registers_.sp() && !is_caller_);
    if (!grows && !row.signal_frame) return Step::kNoInformation;

    Registers caller = registers_;
    std::uint32_t known = known_;
    caller.dwarf[kRsp] = *cfa;
    known |= 1u << kRsp;
    for (std::size_t i = 0; i < row.rule_count; ++i) {
      const RegisterRule& rule = row.rules[i];
      const std::uint32_t bit = 1u << rule.reg;
      known &= ~bit;
      if (rule.kind == RuleKind::kUndefined) continue;
      const auto value = Apply(table, rule, *cfa);
      if (value) {
        caller.dwarf[rule.reg] = *value;
        known |= bit;
      } else if (rule.reg == kRip) {
        return Step::kUnreadable;
      }
    }
    if ((known & 1u << kRip) == 0) return Step::kNoInformation;
    if (caller.pc() == 0) return EndAtZero(frame);
    const bool believable = registers_are_guessed_ ? MayReturnTo(caller.pc())
                                                   : IsCode(caller.pc() - 1) || IsCode(caller.pc());
    if (!believable) return Step::kNoInformation;
    registers_ = caller;
    known_ = known;
    is_caller_ = !row.signal_frame;
    guessed_ = false;
    if (row.signal_frame) registers_are_guessed_ = false;
    return Step::kCaller;
  }

  const Code& FindCode(std::uint64_t pc) {
    if (pc != last_pc_) {
      last_code_ = code_.Find(pc);
      last_pc_ = pc;
    }
    return last_code_;
  }
  bool IsCode(std::uint64_t pc) { return FindCode(pc).kind != CodeKind::kNotCode; }

  // Go pushes a zero return address where a goroutine, or a thread's own stack, begins.
  Step EndAtZero(const RawFrame& frame) {
    const bool is_start =
        FindCode(frame.lookup_pc).kind == CodeKind::kGoFile || code_.IsThreadStart(frame.lookup_pc);
    return is_start ? Step::kOutermost : Step::kNoInformation;
  }

  std::optional<std::uint64_t> Cfa(const UnwindTable& table, const UnwindRow& row) {
    if (row.cfa_register == UnwindRow::kCfaByExpression) {
      return Evaluate(table.Expression(row.cfa_value), {registers_, known_, std::nullopt, memory_});
    }
    if ((known_ >> row.cfa_register & 1) == 0) return std::nullopt;
    return registers_.dwarf[row.cfa_register] +
           static_cast<std::uint64_t>(std::int64_t{row.cfa_value});
  }

  std::optional<std::uint64_t> Apply(const UnwindTable& table, const RegisterRule& rule,
                                     std::uint64_t cfa) {
    const std::uint64_t offset_cfa = cfa + static_cast<std::uint64_t>(std::int64_t{rule.value});
    switch (rule.kind) {
      case RuleKind::kAtCfa:
        return ReadWord(offset_cfa);
      case RuleKind::kCfa:
        return offset_cfa;
      case RuleKind::kRegister:
        if ((known_ >> rule.value & 1) == 0) return std::nullopt;
        return registers_.dwarf[static_cast<std::size_t>(rule.value)];
      case RuleKind::kAtExpression:
      case RuleKind::kExpression: {
        const auto value =
            Evaluate(table.Expression(rule.value), {registers_, known_, cfa, memory_});
        if (!value || rule.kind == RuleKind::kExpression) return value;
        return ReadWord(*value);
      }
      case RuleKind::kUndefined:
        break;
    }
    return std::nullopt;
  }

  // Trampolines of libraries without call frame information (musl, Go): the kernel's signal frame
  // lies at the stack pointer when the handler has returned.
  bool AdvanceBySignalFrame(RawFrame& frame) {
    if (!is_caller_ || !IsTrampoline(frame.pc)) return false;
    // ucontext_t: flags, link, stack_t (24), then r8..r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp,
    // rip (arch/x86/include/uapi/asm/sigcontext.h).
    constexpr std::uint64_t kGeneralRegisters = 40;
    constexpr std::array<std::uint8_t, kX86RegisterCount> kOrder = {
        kR8,  kR9,  kR10, kR11, kR12, kR13, kR14, kR15, kRdi,
        kRsi, kRbp, kRbx, kRdx, kRax, kRcx, kRsp, kRip};
    std::array<std::uint64_t, kX86RegisterCount> saved;
    const auto out = std::as_writable_bytes(std::span(saved));
    if (memory_.Read(registers_.sp() + kGeneralRegisters, out) != out.size()) return false;
    frame.lookup_pc = frame.pc;
    for (std::size_t i = 0; i < kOrder.size(); ++i) registers_.dwarf[kOrder[i]] = saved[i];
    known_ = kAllRegisters;
    is_caller_ = false;
    guessed_ = false;
    registers_are_guessed_ = false;
    return true;
  }

  bool IsTrampoline(std::uint64_t pc) {
    // mov $15 (rt_sigreturn), %eax or %rax; syscall
    constexpr std::array<std::uint8_t, 9> kLong = {0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05};
    constexpr std::array<std::uint8_t, 7> kShort = {0xb8, 15, 0, 0, 0, 0x0f, 0x05};
    std::array<std::byte, kLong.size()> text;
    if (!IsCode(pc) || memory_.Read(pc, text) != text.size()) {
      return false;
    }
    return std::memcmp(text.data(), kLong.data(), kLong.size()) == 0 ||
           std::memcmp(text.data(), kShort.data(), kShort.size()) == 0;
  }

  Step AdvanceByGuess(const Code& code, RawFrame& frame) {
    if (code.kind == CodeKind::kNotCode) return Step::kNoInformation;
    if (code.kind != CodeKind::kAnonymous && code_.IsThreadStart(frame.lookup_pc)) {
      return Step::kOutermost;
    }
    const bool frame_pointers = code.kind != CodeKind::kFile;
    if (frame_pointers && AdvanceByLeaf(frame)) return Step::kCaller;
    if (code.kind == CodeKind::kGoFile && registers_.dwarf[kRbp] == 0) return Step::kOutermost;
    if (frame_pointers && AdvanceByFramePointer(code, frame)) return Step::kCaller;
    // Go's frames are large and full of old return addresses.
    if (code.kind == CodeKind::kGoFile) return Step::kNoInformation;
    return AdvanceByScan(frame);
  }

  // The innermost function of a thread in a system call is often assembler that pushes nothing.
  bool AdvanceByLeaf(RawFrame& frame) {
    if (is_caller_) return false;
    const auto target = ReadWord(registers_.sp());
    if (!target || !IsReturnAddress(*target)) return false;
    frame.cfa = registers_.sp() + kWord;
    BecomeGuess(*target, frame.cfa, registers_.dwarf[kRbp], true);
    return true;
  }

  bool AdvanceByFramePointer(const Code& code, RawFrame& frame) {
    const std::uint64_t base = registers_.dwarf[kRbp];
    const bool known = (known_ & 1u << kRbp) != 0;
    if (!known || base % kWord != 0 || base < registers_.sp()) return false;
    if (base - registers_.sp() > kMaxFrameSize) return false;
    const auto outer_base = ReadWord(base);
    const auto target = ReadWord(base + kWord);
    if (!outer_base || !target) return false;
    // A goroutine returns to the middle of runtime.goexit, which never called it.
    const bool within_go =
        code.kind == CodeKind::kGoFile && FindCode(*target).kind == CodeKind::kGoFile;
    if (!within_go && !MayReturnTo(*target)) return false;
    frame.cfa = base + 2 * kWord;
    BecomeGuess(*target, frame.cfa, *outer_base, true);
    return true;
  }

  Step AdvanceByScan(RawFrame& frame) {
    const std::uint64_t function = code_.FunctionStart(frame.lookup_pc);
    std::optional<std::uint64_t> weak;
    bool readable = true;
    for (std::uint64_t offset = 0; offset < kMaxScan; offset += kWord) {
      const bool strong_possible = function != 0 && offset < kMaxStrongScan;
      if (weak && !strong_possible) break;
      const std::uint64_t slot = registers_.sp() + offset;
      const auto value = ReadWord(slot);
      if (!value) {
        readable = false;
        break;
      }
      const auto call = CallBefore(*value);
      if (!call && !IsTrampoline(*value)) continue;
      if (strong_possible && call && call->direct_target == function) return TakeSlot(slot, frame);
      if (!weak) weak = slot;
    }
    if (weak) return TakeSlot(*weak, frame);
    return readable ? Step::kNoInformation : Step::kUnreadable;
  }

  Step TakeSlot(std::uint64_t slot, RawFrame& frame) {
    const auto target = ReadWord(slot);
    if (!target) return Step::kUnreadable;
    frame.cfa = slot + kWord;
    BecomeGuess(*target, frame.cfa, registers_.dwarf[kRbp], (known_ & 1u << kRbp) != 0);
    return Step::kCaller;
  }

  void BecomeGuess(std::uint64_t pc, std::uint64_t sp, std::uint64_t rbp, bool rbp_known) {
    registers_.dwarf[kRip] = pc;
    registers_.dwarf[kRsp] = sp;
    registers_.dwarf[kRbp] = rbp;
    // Other registers may hold what the skipped code put there.
    known_ = kGuessedRegisters | (rbp_known ? 1u << kRbp : 0);
    is_caller_ = true;
    guessed_ = true;
    registers_are_guessed_ = true;
  }

  std::optional<CallSite> CallBefore(std::uint64_t pc) {
    if (pc < kMaxCallLength || !IsCode(pc - 1)) return std::nullopt;
    std::array<std::byte, kMaxCallLength> text;
    if (memory_.Read(pc - kMaxCallLength, text) != text.size()) return std::nullopt;
    return DecodeCallBefore(text, pc);
  }
  bool IsReturnAddress(std::uint64_t pc) { return CallBefore(pc).has_value(); }
  // The JVM's interpreter jumps with a return address that no call pushed, so that of JIT code only
  // that it is code can be asked.
  bool MayReturnTo(std::uint64_t pc) {
    const CodeKind kind = FindCode(pc - 1).kind;
    return kind == CodeKind::kAnonymous || (kind != CodeKind::kNotCode && IsReturnAddress(pc));
  }

  std::optional<std::uint64_t> ReadWord(std::uint64_t address) {
    std::uint64_t value = 0;
    if (!memory_.ReadWord(address, value)) return std::nullopt;
    return value;
  }

  Registers registers_;
  MemoryCache memory_;
  CodeMap& code_;
  std::uint64_t last_pc_ = 0;
  Code last_code_;                       // of last_pc_
  std::uint32_t known_ = kAllRegisters;  // bit N: register N has a value
  bool is_caller_ = false;               // pc is a return address
  bool guessed_ = false;                 // pc was found by guessing
  // Some register other than pc and sp may be wrong because a guess lies between here and the leaf.
  bool registers_are_guessed_ = false;
};

}  // namespace

RawStack UnwindStack(const Registers& registers, Memory& memory, CodeMap& code,
                     std::uint32_t max_frames) {
  return Unwinder(registers, memory, code).Run(max_frames);
}

}  // namespace ct
