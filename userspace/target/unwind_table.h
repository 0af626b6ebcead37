// Call frame information of one file, compiled row by row as addresses are asked for. A compiled
// row costs a hash lookup; libdw is only asked the first time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "model/registers.h"
#include "target/elf_image.h"

namespace ct {

enum class RuleKind : std::uint8_t {
  kUndefined,
  kAtCfa,         // saved at CFA + value
  kCfa,           // is CFA + value
  kRegister,      // is in register `value`
  kAtExpression,  // saved at what expression `value` yields
  kExpression,    // is what expression `value` yields
};

// How the caller's register follows from this frame; registers without a rule keep their value.
struct RegisterRule {
  std::uint8_t reg = 0;
  RuleKind kind = RuleKind::kUndefined;
  std::int32_t value = 0;
};

struct UnwindRow {
  static constexpr std::uint8_t kCfaByExpression = 0xff;
  std::uint8_t cfa_register = 0;
  std::int32_t cfa_value = 0;     // offset, or the index of an expression
  bool signal_frame = false;      // 'S' augmentation: the caller was interrupted, not calling
  bool return_undefined = false;  // the outermost frame
  std::uint8_t rule_count = 0;
  std::array<RegisterRule, kX86RegisterCount> rules;
};

class UnwindTable {
 public:
  // Never fails: without usable information the table has no rows.
  static std::unique_ptr<UnwindTable> Load(ByteSource& source, const ElfFile& file);

  // The row for an address of the file; nullptr if there is none. Valid until the next call.
  const UnwindRow* Find(std::uint64_t vaddr);
  [[nodiscard]] const std::vector<Dwarf_Op>& Expression(std::int32_t index) const {
    return expressions_[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] std::size_t bytes() const;

 private:
  UnwindTable() = default;
  bool Compile(std::uint64_t vaddr, UnwindRow& row);
  bool CompileFrame(Dwarf_Frame* frame, UnwindRow& row);
  bool CompileCfa(Dwarf_Frame* frame, UnwindRow& row);
  bool CompileRegister(Dwarf_Frame* frame, int reg, UnwindRow& row);
  std::int32_t AddExpression(const Dwarf_Op* ops, std::size_t count);

  // A row of an address without information is remembered too: `found` is false.
  struct CachedRow {
    bool found = false;
    UnwindRow row;
  };
  std::unique_ptr<ElfImage> eh_frame_;
  UniqueCfi eh_cfi_;  // works on eh_frame_
  std::unique_ptr<ElfImage> debug_frame_;
  UniqueDwarf debug_;               // works on debug_frame_
  Dwarf_CFI* debug_cfi_ = nullptr;  // owned by debug_
  std::unordered_map<std::uint64_t, CachedRow> rows_;
  std::vector<std::vector<Dwarf_Op>> expressions_;
};

}  // namespace ct
