#include "target/symbol_table.h"

#include <algorithm>
#include <tuple>

#include "target/elf_symbols.h"

namespace ct {
namespace {

bool IsObject(const Elf64_Sym& symbol) {
  const unsigned type = ELF64_ST_TYPE(symbol.st_info);
  return (type == STT_OBJECT || type == STT_COMMON) && symbol.st_size != 0;
}

// Local labels and mapping symbols name no function.
bool IsUseful(std::string_view name) {
  return !name.empty() && name.front() != '$' && !name.starts_with(".L");
}

std::size_t LeadingUnderscores(std::string_view name) {
  // "_Z" and "_R" begin mangled names, not reserved ones.
  if (name.starts_with("_Z") || name.starts_with("_R")) return 0;
  return std::min(name.find_first_not_of('_'), name.size());
}

int BindingRank(std::uint8_t binding) {
  return binding == STB_GLOBAL ? 0 : binding == STB_LOCAL ? 2 : 1;
}

void SortAndUnify(std::vector<Symbol>& symbols) {
  std::sort(symbols.begin(), symbols.end(), [](const Symbol& left, const Symbol& right) {
    if (left.address != right.address) return left.address < right.address;
    return IsBetterName(left, right);
  });
  std::size_t kept = 0;
  for (const Symbol& symbol : symbols) {
    if (kept > 0 && symbols[kept - 1].address == symbol.address) {
      symbols[kept - 1].size = std::max(symbols[kept - 1].size, symbol.size);
    } else {
      symbols[kept++] = symbol;
    }
  }
  symbols.resize(kept);
  symbols.shrink_to_fit();
}

}  // namespace

bool IsBetterName(const Symbol& left, const Symbol& right) {
  const auto rank = [](const Symbol& symbol) {
    const std::string_view name = symbol.name;
    return std::tuple(LeadingUnderscores(name), BindingRank(symbol.binding), name.size(), name);
  };
  return rank(left) < rank(right);
}

void SymbolTable::Add(ByteSource& source, const ElfFile& file, std::string_view section) {
  auto symbols = ReadSymbols(source, file, section);
  if (!symbols) return;
  symbols->ForEach([&](const Elf64_Sym& symbol, const char* name) {
    if (!IsUseful(name)) return;
    const Symbol entry{symbol.st_value, symbol.st_size, name,
                       static_cast<std::uint8_t>(ELF64_ST_BIND(symbol.st_info))};
    if (IsFunction(symbol, file)) functions_.push_back(entry);
    if (IsObject(symbol)) objects_.push_back(entry);
  });
  names_.push_back(std::move(symbols->names));
}

void SymbolTable::Finish() {
  SortAndUnify(functions_);
  SortAndUnify(objects_);
}

std::size_t SymbolTable::bytes() const {
  std::size_t total = (functions_.capacity() + objects_.capacity()) * sizeof(Symbol);
  for (const Bytes& names : names_) total += names.size();
  return total;
}

const Symbol* SymbolTable::ObjectNamed(std::string_view name) const {
  const auto found = std::find_if(objects_.begin(), objects_.end(),
                                  [&](const Symbol& symbol) { return name == symbol.name; });
  return found != objects_.end() ? &*found : nullptr;
}

const Symbol* SymbolTable::Containing(const std::vector<Symbol>& symbols, std::uint64_t vaddr) {
  auto after = std::upper_bound(
      symbols.begin(), symbols.end(), vaddr,
      [](std::uint64_t value, const Symbol& symbol) { return value < symbol.address; });
  // A symbol inside another one may end before the address does; its surroundings are then near.
  constexpr int kMaxNested = 16;
  const bool is_last = after == symbols.end();
  for (int i = 0; i < kMaxNested && after != symbols.begin(); ++i) {
    const Symbol& symbol = *--after;
    const std::uint64_t distance = vaddr - symbol.address;
    if (distance < symbol.size) return &symbol;
    // Without a size it reaches up to the next symbol; behind the last one nothing bounds it.
    constexpr std::uint64_t kMaxUnsized = 64 << 10;
    if (symbol.size == 0 && i == 0 && (!is_last || distance < kMaxUnsized)) return &symbol;
  }
  return nullptr;
}

}  // namespace ct
