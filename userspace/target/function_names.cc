#include "target/function_names.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <unordered_set>

#include "target/demangle.h"
#include "target/elf_symbols.h"
#include "target/function_pattern.h"

namespace ct {
namespace {

constexpr std::size_t kMaxSymbolName = 4096;  // longer ones are not demangled either

constexpr std::string_view kAnonymous = "_ZN12_GLOBAL__N_1";  // a namespace that does not count

enum class Suffix : std::uint8_t { kNone, kClone, kPart };

// A symbol's name in its parts: "_ZN1a1bEv.constprop.0@V1" is "_ZN1a1bEv" and ".constprop.0".
struct SymbolName {
  std::string_view whole;  // without the version
  std::string_view base;
  Suffix suffix = Suffix::kNone;
};

Suffix SuffixOf(std::string_view text) {
  // LLVM and GCC rename a local function that another file needs; it stays what it was.
  if (text.empty() || text.starts_with(".llvm.") || text.starts_with(".lto_priv.")) {
    return Suffix::kNone;
  }
  const bool is_part =
      text.find(".part") != std::string_view::npos || text.find(".cold") != std::string_view::npos;
  const bool is_clone = text.find(".isra") != std::string_view::npos ||
                        text.find(".constprop") != std::string_view::npos;
  return is_clone && !is_part ? Suffix::kClone : Suffix::kPart;
}

SymbolName Split(std::string_view symbol) {
  SymbolName name;
  name.whole = symbol.substr(0, symbol.find('@', 1));
  name.base = name.whole.substr(0, name.whole.find('.', 1));
  name.suffix = SuffixOf(name.whole.substr(name.base.size()));
  return name;
}

// Thunks and the like (_ZT..., _ZG...), and destructors that free the object after the real one.
bool StandsForAnother(std::string_view mangled) {
  return mangled.starts_with("_ZT") || mangled.starts_with("_ZG") || mangled.ends_with("D0Ev");
}

// One look through the tables.
class Search {
 public:
  explicit Search(std::span<const std::string> names) : found_(names.size()) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      exact_.emplace(names[i], i);
      if (!LooksMangled(names[i])) patterns_.push_back({FunctionPattern(names[i]), i});
    }
  }

  void Look(const SymbolSource& table) {
    const auto symbols = ReadSymbols(*table.source, *table.file, table.section);
    if (!symbols) return;
    symbols->ForEach([&](const Elf64_Sym& symbol, const char* text) {
      if (IsFunction(symbol, *table.file)) {
        LookAt(symbol, std::string_view(text, strnlen(text, kMaxSymbolName)));
      }
    });
    if (unsized_.empty()) return;
    symbols->ForEach([&](const Elf64_Sym& symbol, const char*) {
      if (IsFunction(symbol, *table.file)) NoteStart(symbol.st_value);
    });
  }

  // A function without a size ends where the next begins.
  void NoteStart(std::uint64_t address) {
    const auto above = unsized_.lower_bound(address);
    if (above == unsized_.begin()) return;
    auto& [begin, size] = *std::prev(above);
    size = std::min(size, address - begin);
  }

  std::vector<NamedSymbol> Take(std::size_t index) {
    // Clones are of interest only where there is nothing else.
    Found& found = found_[index];
    std::vector<NamedSymbol> out;
    for (NamedSymbol& symbol : found.plain.empty() ? found.clones : found.plain) {
      if (symbol.size == 0) symbol.size = unsized_.at(symbol.address);
      out.push_back(std::move(symbol));
    }
    std::sort(out.begin(), out.end(), [](const NamedSymbol& left, const NamedSymbol& right) {
      return left.address < right.address;
    });
    return out;
  }

 private:
  struct Pattern {
    FunctionPattern pattern;
    std::size_t index;
  };
  struct Found {
    std::vector<NamedSymbol> plain;
    std::vector<NamedSymbol> clones;
  };

  static NamedKind KindOf(const SymbolName& name) {
    return name.suffix == Suffix::kClone ? NamedKind::kClone : NamedKind::kFunction;
  }

  void LookAt(const Elf64_Sym& symbol, std::string_view text) {
    const SymbolName name = Split(text);
    if (const auto exact = exact_.find(name.whole); exact != exact_.end()) {
      Add(symbol, name, NamedKind::kFunction, exact->second);
    }
    if (name.suffix == Suffix::kPart) return;
    if (!LooksMangled(name.base)) {
      if (name.base.size() == name.whole.size()) return;
      const auto exact = exact_.find(name.base);
      if (exact != exact_.end()) Add(symbol, name, KindOf(name), exact->second);
    } else if (!StandsForAnother(name.base)) {
      LookAtMangled(symbol, name);
    }
  }

  void LookAtMangled(const Elf64_Sym& symbol, const SymbolName& name) {
    std::string path;
    std::string full;
    // A bare name is never that of a member: most names of a C++ program are out of the question.
    const bool has_scopes = name.base.starts_with("_ZN") && !name.base.starts_with(kAnonymous);
    for (const auto& [pattern, index] : patterns_) {
      if (has_scopes && !pattern.has_scopes()) continue;
      if (name.base.find(pattern.word()) == std::string_view::npos) continue;
      if (path.empty()) path = Demangle(name.base);
      if (!pattern.MatchesPath(path)) continue;
      if (pattern.has_parameters()) {
        if (full.empty()) full = DemangleWithParameters(name.base);
        if (!pattern.MatchesParameters(path, full)) continue;
      }
      Add(symbol, name, KindOf(name), index);
    }
  }

  void Add(const Elf64_Sym& symbol, const SymbolName& name, NamedKind kind, std::size_t index) {
    auto& list = kind == NamedKind::kClone ? found_[index].clones : found_[index].plain;
    const auto known = std::find_if(list.begin(), list.end(), [&](const NamedSymbol& other) {
      return other.address == symbol.st_value;
    });
    if (known != list.end()) {
      known->size = std::max<std::uint64_t>(known->size, symbol.st_size);
      return;
    }
    if (list.size() >= FunctionNames::kMaxSameName) return;
    if (ELF64_ST_TYPE(symbol.st_info) == STT_GNU_IFUNC) kind = NamedKind::kIndirect;
    if (symbol.st_size == 0) unsized_.emplace(symbol.st_value, FunctionNames::kMaxSize);
    std::string people = DemangleWithParameters(name.base);
    if (name.suffix != Suffix::kNone) people += name.whole.substr(name.base.size());
    list.push_back({kind, symbol.st_value, symbol.st_size, std::move(people)});
  }

  std::unordered_map<std::string_view, std::size_t> exact_;
  std::vector<Pattern> patterns_;
  std::vector<Found> found_;                        // one a name
  std::map<std::uint64_t, std::uint64_t> unsized_;  // by address; how long at most
};

}  // namespace

bool FunctionNames::Knows(std::span<const std::string> names) const {
  return std::all_of(names.begin(), names.end(),
                     [&](const std::string& name) { return known_.contains(name); });
}

std::vector<std::string> FunctionNames::Unknown(std::span<const std::string> names) const {
  std::vector<std::string> unknown;
  std::unordered_set<std::string_view> seen;
  for (const std::string& name : names) {
    if (!known_.contains(name) && seen.insert(name).second) unknown.push_back(name);
  }
  return unknown;
}

void FunctionNames::Find(std::span<const std::string> names,
                         const std::function<void(const Visit&)>& tables,
                         std::span<const std::uint64_t> starts) {
  std::vector<std::string> unknown = Unknown(names);
  if (known_.size() + unknown.size() > kMaxNames) {
    known_.clear();
    bytes_ = 0;
    unknown = Unknown(names);
  }
  Search search(unknown);
  tables([&](const SymbolSource& table) { search.Look(table); });
  for (const std::uint64_t start : starts) search.NoteStart(start);
  for (std::size_t i = 0; i < unknown.size(); ++i) {
    std::vector<NamedSymbol>& found = known_[unknown[i]] = search.Take(i);
    bytes_ +=
        unknown[i].size() + sizeof(std::vector<NamedSymbol>) + found.size() * sizeof(NamedSymbol);
    for (const NamedSymbol& symbol : found) bytes_ += symbol.name.size();
  }
}

std::span<const NamedSymbol> FunctionNames::Of(const std::string& name) const {
  const auto found = known_.find(name);
  return found != known_.end() ? std::span<const NamedSymbol>(found->second)
                               : std::span<const NamedSymbol>();
}

}  // namespace ct
