#include "target/source_lines.h"

#include <dwarf.h>

#include <algorithm>
#include <array>

#include "target/demangle.h"

namespace ct {
namespace {

constexpr std::uint64_t kMaxDebugBytes = 256 << 20;
constexpr std::size_t kMaxRangesOfDie = 4096;
constexpr std::size_t kMaxUnits = 1 << 17;
constexpr std::size_t kMaxDiesOfUnit = 1 << 20;
constexpr int kMaxDepth = 64;  // of namespaces, classes and lexical blocks

// Without .debug_loc*, .debug_types and .debug_macro, which are large and not asked.
constexpr std::array<std::string_view, 20> kSections = {
    ".debug_info",    ".debug_abbrev",    ".debug_str",   ".debug_line",         ".debug_line_str",
    ".debug_ranges",  ".debug_rnglists",  ".debug_addr",  ".debug_str_offsets",  ".debug_aranges",
    ".zdebug_info",   ".zdebug_abbrev",   ".zdebug_str",  ".zdebug_line",        ".zdebug_line_str",
    ".zdebug_ranges", ".zdebug_rnglists", ".zdebug_addr", ".zdebug_str_offsets", ".zdebug_aranges"};

std::string NameOf(Dwarf_Die& die) {
  Dwarf_Attribute attribute;
  for (const unsigned name : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name}) {
    if (dwarf_attr_integrate(&die, name, &attribute) == nullptr) continue;
    if (const char* mangled = dwarf_formstring(&attribute)) return Demangle(mangled);
  }
  const char* plain = dwarf_diename(&die);
  return plain != nullptr ? plain : "";
}

std::uint64_t UnsignedAttribute(Dwarf_Die& die, unsigned name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (dwarf_attr(&die, name, &attribute) == nullptr) return 0;
  return dwarf_formudata(&attribute, &value) == 0 ? value : 0;
}

// The place from which this inlined function was called.
SourcePlace CallPlace(Dwarf_Die& unit, Dwarf_Die& inlined) {
  SourcePlace place;
  Dwarf_Files* files = nullptr;
  std::size_t count = 0;
  if (dwarf_getsrcfiles(&unit, &files, &count) == 0) {
    const std::uint64_t index = UnsignedAttribute(inlined, DW_AT_call_file);
    const char* file = index < count ? dwarf_filesrc(files, index, nullptr, nullptr) : nullptr;
    if (file != nullptr) place.file = file;
  }
  place.line = static_cast<std::uint32_t>(UnsignedAttribute(inlined, DW_AT_call_line));
  return place;
}

SourcePlace LinePlace(Dwarf_Die& unit, std::uint64_t vaddr) {
  SourcePlace place;
  Dwarf_Line* line = dwarf_getsrc_die(&unit, vaddr);
  int number = 0;
  if (line == nullptr || dwarf_lineno(line, &number) != 0 || number <= 0) return place;
  if (const char* file = dwarf_linesrc(line, nullptr, nullptr)) place.file = file;
  place.line = static_cast<std::uint32_t>(number);
  return place;
}

// A skeleton's contents are in a file that only it names.
bool IsWhole(Dwarf_Die& unit) {
  Dwarf_Half version = 0;
  std::uint8_t type = 0;
  if (dwarf_cu_info(unit.cu, &version, &type, nullptr, nullptr, nullptr, nullptr, nullptr) != 0) {
    return false;
  }
  return type == DW_UT_compile || type == DW_UT_partial;
}

bool MayHoldFunctions(int tag) {
  return tag == DW_TAG_namespace || tag == DW_TAG_class_type || tag == DW_TAG_structure_type ||
         tag == DW_TAG_union_type || tag == DW_TAG_enumeration_type || tag == DW_TAG_module;
}

}  // namespace

std::unique_ptr<SourceLines> SourceLines::Load(ByteSource& source, const ElfFile& file) {
  const bool has_lines = file.Section(".debug_line") || file.Section(".zdebug_line");
  if (!has_lines) return nullptr;
  std::unique_ptr<SourceLines> lines(new SourceLines);
  lines->image_ = ElfImage::Build(source, SectionsNamed(file, kSections), kMaxDebugBytes);
  if (!lines->image_) return nullptr;
  lines->dwarf_.reset(dwarf_begin_elf(lines->image_->elf(), DWARF_C_READ, nullptr));
  if (!lines->dwarf_) return nullptr;
  return lines;
}

std::size_t SourceLines::bytes() const {
  std::size_t total = image_->bytes() + units_.capacity() * sizeof(Range);
  for (const auto& [unit, ranges] : functions_) total += ranges.capacity() * sizeof(Range);
  return total;
}

std::vector<SourcePlace> SourceLines::Find(std::uint64_t vaddr) {
  std::vector<SourcePlace> places;
  Dwarf_Die unit;
  if (!FindUnit(vaddr, unit)) return places;
  places.push_back(LinePlace(unit, vaddr));
  Dwarf_Die function;
  const Range* range = FindRange(FunctionsOf(unit), vaddr);
  if (range != nullptr && dwarf_offdie(dwarf_.get(), range->die, &function) != nullptr) {
    DescendInlines(unit, function, vaddr, places);
  }
  return places;
}

bool SourceLines::FindUnit(std::uint64_t vaddr, Dwarf_Die& unit) {
  if (UnitByAranges(vaddr, unit)) return true;
  if (!units_listed_) ListUnits();
  const Range* range = FindRange(units_, vaddr);
  return range != nullptr && dwarf_offdie(dwarf_.get(), range->die, &unit) != nullptr;
}

bool SourceLines::UnitByAranges(std::uint64_t vaddr, Dwarf_Die& unit) {
  Dwarf_Aranges* aranges = nullptr;
  Dwarf_Off offset = 0;
  if (dwarf_getaranges(dwarf_.get(), &aranges, nullptr) != 0) return false;
  Dwarf_Arange* range = dwarf_getarange_addr(aranges, vaddr);
  return range != nullptr && dwarf_getarangeinfo(range, nullptr, nullptr, &offset) == 0 &&
         dwarf_offdie(dwarf_.get(), offset, &unit) != nullptr && IsWhole(unit);
}

// clang and rustc leave .debug_aranges out.
void SourceLines::ListUnits() {
  units_listed_ = true;
  Dwarf_CU* unit = nullptr;
  Dwarf_CU* next = nullptr;
  Dwarf_Die die;
  for (std::size_t i = 0; i < kMaxUnits; ++i) {
    std::uint8_t type = 0;
    if (dwarf_get_units(dwarf_.get(), unit, &next, nullptr, &type, &die, nullptr) != 0) break;
    unit = next;
    if (type == DW_UT_compile) AddRanges(die, units_);
  }
  std::sort(units_.begin(), units_.end());
}

void SourceLines::AddRanges(Dwarf_Die& die, Ranges& out) {
  Dwarf_Addr base = 0;
  Dwarf_Addr begin = 0;
  Dwarf_Addr end = 0;
  std::ptrdiff_t at = 0;
  for (std::size_t i = 0; i < kMaxRangesOfDie; ++i) {
    at = dwarf_ranges(&die, at, &base, &begin, &end);
    if (at <= 0) return;
    // A linker that drops a function leaves its range at address 0.
    if (begin < end && begin != 0) out.push_back({begin, end, dwarf_dieoffset(&die)});
  }
}

const SourceLines::Range* SourceLines::FindRange(const Ranges& ranges, std::uint64_t vaddr) {
  auto after =
      std::upper_bound(ranges.begin(), ranges.end(), vaddr,
                       [](std::uint64_t value, const Range& r) { return value < r.begin; });
  if (after == ranges.begin()) return nullptr;
  const Range& range = *std::prev(after);
  return vaddr < range.end ? &range : nullptr;
}

const SourceLines::Ranges& SourceLines::FunctionsOf(Dwarf_Die& unit) {
  const Dwarf_Off offset = dwarf_dieoffset(&unit);
  const auto [found, is_new] = functions_.try_emplace(offset);
  if (is_new) {
    std::size_t budget = kMaxDiesOfUnit;
    ListFunctions(unit, 0, budget, found->second);
    std::sort(found->second.begin(), found->second.end());
  }
  return found->second;
}

void SourceLines::ListFunctions(Dwarf_Die& parent, int depth, std::size_t& budget, Ranges& out) {
  Dwarf_Die die;
  if (depth >= kMaxDepth || dwarf_child(&parent, &die) != 0) return;
  do {
    if (budget == 0) return;
    --budget;
    const int tag = dwarf_tag(&die);
    if (tag == DW_TAG_subprogram) AddRanges(die, out);
    if (MayHoldFunctions(tag)) ListFunctions(die, depth + 1, budget, out);
  } while (dwarf_siblingof(&die, &die) == 0);
}

// Follows the one path of blocks and inlined calls that contains the address. Each inlined call
// found moves the line to where the call stands, so that `places` stays innermost first.
void SourceLines::DescendInlines(Dwarf_Die& unit, Dwarf_Die& function, std::uint64_t vaddr,
                                 std::vector<SourcePlace>& places) {
  Dwarf_Die parent = function;
  std::vector<SourcePlace> outermost_first;
  const SourcePlace innermost = places.back();
  std::size_t budget = kMaxDiesOfUnit;
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    Dwarf_Die die;
    if (dwarf_child(&parent, &die) != 0) break;
    bool found = false;
    do {
      const int tag = dwarf_tag(&die);
      const bool inlined = tag == DW_TAG_inlined_subroutine;
      if (!inlined && tag != DW_TAG_lexical_block) continue;
      if (dwarf_haspc(&die, vaddr) <= 0) continue;
      if (inlined) {
        SourcePlace call = CallPlace(unit, die);
        if (!outermost_first.empty()) call.function = outermost_first.back().function;
        if (!outermost_first.empty()) outermost_first.pop_back();
        outermost_first.push_back(std::move(call));
        outermost_first.push_back({NameOf(die), innermost.file, innermost.line});
      }
      parent = die;
      found = true;
      break;
    } while (--budget > 0 && dwarf_siblingof(&die, &die) == 0);
    if (!found) break;
  }
  if (!outermost_first.empty()) places.assign(outermost_first.rbegin(), outermost_first.rend());
}

}  // namespace ct
