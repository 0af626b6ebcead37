#include "target/named_functions.h"

#include <fnmatch.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace ct {
namespace {

// No process has so many libraries; one that maps files without end must not keep us.
constexpr std::size_t kMaxFiles = 4096;

constexpr std::string_view kDeleted = " (deleted)";

std::string_view WithoutDeleted(std::string_view path) {
  if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
  return path;
}

// RPM renames the file that it replaces: "libc.so.6;65a1f2c4" until the last process lets go of it.
std::string FileName(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return std::string(name.substr(0, name.find(';')));
}

Bytes ReadCode(ByteSource& source, std::uint64_t offset, std::uint64_t size) {
  Bytes bytes(std::min<std::uint64_t>(size, Target::kMaxCode));
  bytes.resize(source.ReadAt(offset, bytes));
  return bytes;
}

class Finder {
 public:
  Finder(LoadedModules& modules, const std::string& executable,
         std::span<const FunctionQuery> queries)
      : modules_(modules), executable_(WithoutDeleted(executable)), queries_(queries) {}

  void LookInto(const Mapping& mapping) {
    std::vector<std::uint32_t> wanted;
    std::vector<std::string> names;
    const std::string file_name = FileName(mapping.path);
    const bool is_executable = mapping.path == executable_;
    matches_.clear();
    for (std::uint32_t i = 0; i < queries_.size(); ++i) {
      if (!IsIn(queries_[i], file_name, is_executable)) continue;
      wanted.push_back(i);
      names.push_back(queries_[i].name);
    }
    if (wanted.empty()) return;
    const PlacedMapping& placed = modules_.Place(mapping);
    const auto source = placed.module != nullptr ? placed.module->Open() : nullptr;
    const FunctionNames* known =
        source != nullptr ? placed.module->file().Named(names, *placed.module) : nullptr;
    if (known == nullptr) {
      found_.unreadable.push_back(mapping.path);
      return;
    }
    for (const std::uint32_t query : wanted) {
      for (const NamedSymbol& symbol : known->Of(queries_[query].name)) {
        Add(query, symbol, placed, *source);
      }
    }
  }

  NamedFunctions Finish() {
    auto& functions = found_.functions;
    std::sort(functions.begin(), functions.end(), [](const auto& left, const auto& right) {
      return std::tie(left.query, left.address) < std::tie(right.query, right.address);
    });
    return std::move(found_);
  }

 private:
  bool IsIn(const FunctionQuery& query, const std::string& file_name, bool is_executable) {
    for (const std::string& pattern : query.files) {
      if (pattern == "exe" && is_executable) return true;
      // Many queries have the same patterns.
      const auto [known, is_new] = matches_.try_emplace(pattern, false);
      if (is_new) known->second = fnmatch(pattern.c_str(), file_name.c_str(), 0) == 0;
      if (known->second) return true;
    }
    return false;
  }

  void Add(std::uint32_t query, const NamedSymbol& symbol, const PlacedMapping& placed,
           ByteSource& source) {
    const std::uint64_t address = symbol.address + placed.bias;
    const Mapping* mapping = FindMapping(modules_.mappings(), address);
    const bool is_code = mapping != nullptr && mapping->executable && mapping->HasFile() &&
                         modules_.Place(*mapping).module == placed.module;
    if (!is_code) return;
    if (found_.functions.size() >= Target::kMaxNamedFunctions) {
      found_.more = true;
      return;
    }
    NamedFunction function;
    function.query = query;
    function.name = symbol.name;
    function.path = mapping->path;
    function.address = address;
    function.place = {mapping->begin, mapping->end, address - mapping->begin + mapping->file_offset,
                      placed.module->identity().inode};
    if (symbol.kind == NamedKind::kIndirect) {
      function.why_not = "it only chooses the function that is called (IFUNC)";
    } else if (symbol.kind == NamedKind::kClone) {
      function.why_not = "only a clone of it exists: its arguments may differ";
    } else {
      const std::uint64_t size = std::min(symbol.size, mapping->end - address);
      function.code = ReadCode(source, function.place.file_offset, size);
      if (function.code.empty()) function.why_not = "its code cannot be read";
    }
    found_.functions.push_back(std::move(function));
  }

  LoadedModules& modules_;
  const std::string_view executable_;
  std::span<const FunctionQuery> queries_;
  std::unordered_map<std::string_view, bool> matches_;  // by pattern, of the file looked into
  NamedFunctions found_;
};

}  // namespace

NamedFunctions FindNamedFunctions(LoadedModules& modules, const std::string& executable,
                                  std::span<const FunctionQuery> queries) {
  Finder finder(modules, executable, queries);
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen;
  for (const Mapping& mapping : modules.mappings()) {
    if (!mapping.executable || !mapping.HasFile()) continue;
    // A file that is mapped twice has one set of offsets.
    if (!seen.emplace(mapping.device, mapping.inode).second) continue;
    if (seen.size() > kMaxFiles) break;
    finder.LookInto(mapping);
  }
  return finder.Finish();
}

std::optional<FunctionCode> ReadCodeAt(LoadedModules& modules, std::uint64_t address) {
  const Mapping* mapping = FindMapping(modules.mappings(), address);
  if (mapping == nullptr || !mapping->executable || !mapping->HasFile()) return std::nullopt;
  const PlacedMapping& placed = modules.Place(*mapping);
  if (placed.module == nullptr) return std::nullopt;
  const auto source = placed.module->Open();
  if (source == nullptr) return std::nullopt;
  const std::uint64_t vaddr = address - placed.bias;
  CachedFile& file = placed.module->file();
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  // Call frame information knows every part of every function, also in a stripped file.
  const std::vector<std::uint64_t>& starts = file.FunctionStarts(*placed.module);
  const auto next = std::upper_bound(starts.begin(), starts.end(), vaddr);
  if (next != starts.begin()) {
    begin = *std::prev(next);
    end = next != starts.end() ? *next : begin + Target::kMaxCode;
  } else {
    const SymbolTable* symbols = file.Symbols(*placed.module);
    const Symbol* symbol = symbols != nullptr ? symbols->Function(vaddr) : nullptr;
    if (symbol == nullptr) return std::nullopt;
    begin = symbol->address;
    end = symbol->address + std::max<std::uint64_t>(symbol->size, vaddr - symbol->address + 1);
  }
  begin = std::max(begin + placed.bias, mapping->begin);
  end = std::min(end + placed.bias, mapping->end);
  if (address < begin || address >= end) return std::nullopt;
  FunctionCode code{begin,
                    ReadCode(*source, begin - mapping->begin + mapping->file_offset, end - begin)};
  if (code.code.empty()) return std::nullopt;
  return code;
}

}  // namespace ct
