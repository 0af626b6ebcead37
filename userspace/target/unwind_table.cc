#include "target/unwind_table.h"

#include <dwarf.h>

#include <cstdlib>
#include <limits>

#include "target/eh_frame.h"

namespace ct {
namespace {

// Chromium's .eh_frame is about 20 MB; a Go binary of 100 MB has 5 MB of .debug_frame.
constexpr std::uint64_t kMaxFrameBytes = 128 << 20;
constexpr std::size_t kMaxRows = 1 << 16;
constexpr std::size_t kMaxExpressions = 4096;

bool FitsInt32(std::int64_t value) {
  return value >= std::numeric_limits<std::int32_t>::min() &&
         value <= std::numeric_limits<std::int32_t>::max();
}

// The register that a DW_OP_breg* operation starts from; -1 for any other operation.
int BaseRegister(const Dwarf_Op& op) {
  if (op.atom >= DW_OP_breg0 && op.atom <= DW_OP_breg31) return op.atom - DW_OP_breg0;
  return -1;
}
int PlainRegister(const Dwarf_Op& op) {
  if (op.atom >= DW_OP_reg0 && op.atom <= DW_OP_reg31) return op.atom - DW_OP_reg0;
  if (op.atom == DW_OP_regx && op.number < kX86RegisterCount) return static_cast<int>(op.number);
  return -1;
}

// "CFA" or "CFA + n" and nothing else.
std::optional<std::int64_t> CfaOffset(const Dwarf_Op* ops, std::size_t count) {
  if (count == 0 || count > 2 || ops[0].atom != DW_OP_call_frame_cfa) return std::nullopt;
  if (count == 1) return 0;
  if (ops[1].atom != DW_OP_plus_uconst) return std::nullopt;
  return static_cast<std::int64_t>(ops[1].number);
}

}  // namespace

std::unique_ptr<UnwindTable> UnwindTable::Load(ByteSource& source, const ElfFile& file) {
  std::unique_ptr<UnwindTable> table(new UnwindTable);
  table->eh_frame_ = ElfImage::Build(source, EhFrameSections(source, file), kMaxFrameBytes);
  if (table->eh_frame_) table->eh_cfi_.reset(dwarf_getcfi_elf(table->eh_frame_->elf()));

  constexpr std::array<std::string_view, 2> kDebugFrame = {".debug_frame", ".zdebug_frame"};
  table->debug_frame_ = ElfImage::Build(source, SectionsNamed(file, kDebugFrame), kMaxFrameBytes);
  if (table->debug_frame_) {
    table->debug_.reset(dwarf_begin_elf(table->debug_frame_->elf(), DWARF_C_READ, nullptr));
    if (table->debug_) table->debug_cfi_ = dwarf_getcfi(table->debug_.get());
  }
  return table;
}

std::size_t UnwindTable::bytes() const {
  constexpr std::size_t kNode = 24;  // of unordered_map
  std::size_t total = rows_.size() * (sizeof(CachedRow) + kNode);
  if (eh_frame_) total += eh_frame_->bytes();
  if (debug_frame_) total += debug_frame_->bytes();
  return total;
}

const UnwindRow* UnwindTable::Find(std::uint64_t vaddr) {
  auto found = rows_.find(vaddr);
  if (found == rows_.end()) {
    if (rows_.size() >= kMaxRows || expressions_.size() >= kMaxExpressions) {
      rows_.clear();
      expressions_.clear();
    }
    CachedRow row;
    row.found = Compile(vaddr, row.row);
    found = rows_.emplace(vaddr, row).first;
  }
  return found->second.found ? &found->second.row : nullptr;
}

bool UnwindTable::Compile(std::uint64_t vaddr, UnwindRow& row) {
  for (Dwarf_CFI* cfi : {eh_cfi_.get(), debug_cfi_}) {
    Dwarf_Frame* frame = nullptr;
    if (cfi == nullptr || dwarf_cfi_addrframe(cfi, vaddr, &frame) != 0) continue;
    const bool compiled = CompileFrame(frame, row);
    std::free(frame);
    if (compiled) return true;
  }
  return false;
}

bool UnwindTable::CompileFrame(Dwarf_Frame* frame, UnwindRow& row) {
  row = UnwindRow();
  bool signal_frame = false;
  const int return_register = dwarf_frame_info(frame, nullptr, nullptr, &signal_frame);
  if (return_register != kRip) return false;
  row.signal_frame = signal_frame;
  for (int reg = 0; reg < kX86RegisterCount; ++reg) {
    if (!CompileRegister(frame, reg, row)) return false;
  }
  // The outermost frame needs no CFA, and often has none that means anything.
  return CompileCfa(frame, row) || row.return_undefined;
}

bool UnwindTable::CompileCfa(Dwarf_Frame* frame, UnwindRow& row) {
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  if (dwarf_frame_cfa(frame, &ops, &count) != 0 || count == 0) return false;
  const int base = count == 1 ? BaseRegister(ops[0]) : -1;
  const bool simple = base >= 0 && base < kX86RegisterCount;
  if (simple && FitsInt32(static_cast<std::int64_t>(ops[0].number))) {
    row.cfa_register = static_cast<std::uint8_t>(base);
    row.cfa_value = static_cast<std::int32_t>(ops[0].number);
    return true;
  }
  row.cfa_register = UnwindRow::kCfaByExpression;
  row.cfa_value = AddExpression(ops, count);
  return true;
}

bool UnwindTable::CompileRegister(Dwarf_Frame* frame, int reg, UnwindRow& row) {
  Dwarf_Op memory[3];
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  if (dwarf_frame_register(frame, reg, memory, &ops, &count) != 0) return false;
  const bool same_value = count == 0 && ops == nullptr;
  if (same_value) return true;
  RegisterRule rule{.reg = static_cast<std::uint8_t>(reg)};
  if (count == 0) {
    rule.kind = RuleKind::kUndefined;
    if (reg == kRip) row.return_undefined = true;
  } else {
    const bool is_value = ops[count - 1].atom == DW_OP_stack_value;
    if (is_value) --count;
    const auto cfa_offset = CfaOffset(ops, count);
    if (cfa_offset && FitsInt32(*cfa_offset)) {
      rule.kind = is_value ? RuleKind::kCfa : RuleKind::kAtCfa;
      rule.value = static_cast<std::int32_t>(*cfa_offset);
    } else if (count == 1 && PlainRegister(ops[0]) >= 0) {
      rule.kind = RuleKind::kRegister;
      rule.value = PlainRegister(ops[0]);
    } else {
      rule.kind = is_value ? RuleKind::kExpression : RuleKind::kAtExpression;
      rule.value = AddExpression(ops, count);
    }
  }
  row.rules[row.rule_count++] = rule;
  return true;
}

std::int32_t UnwindTable::AddExpression(const Dwarf_Op* ops, std::size_t count) {
  // Longer ones than this do not exist outside of attacks; an empty one fails when evaluated.
  constexpr std::size_t kMaxOperations = 256;
  expressions_.emplace_back(ops, count <= kMaxOperations ? ops + count : ops);
  return static_cast<std::int32_t>(expressions_.size() - 1);
}

}  // namespace ct
