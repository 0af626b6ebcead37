// Function and data symbols of one file, sorted by address.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "target/elf_file.h"

namespace ct {

struct Symbol {
  std::uint64_t address = 0;
  std::uint64_t size = 0;  // 0: not known
  const char* name = nullptr;
  std::uint8_t binding = 0;  // STB_*
};

class SymbolTable {
 public:
  SymbolTable() = default;
  ~SymbolTable() = default;
  SymbolTable(SymbolTable&&) = default;
  SymbolTable& operator=(SymbolTable&&) = default;
  SymbolTable(const SymbolTable&) = delete;
  SymbolTable& operator=(const SymbolTable&) = delete;

  // Adds the symbols of one table (".symtab", ".dynsym") of a file whose sections are described by
  // `file`. Does nothing if there is none or it is malformed.
  void Add(ByteSource& source, const ElfFile& file, std::string_view section);
  // To be called after the last Add and before the first question.
  void Finish();

  // The function, or data object, that contains the address. Of several names for one address the
  // one that a caller would use: few leading underscores, global, short.
  [[nodiscard]] const Symbol* Function(std::uint64_t vaddr) const {
    return Containing(functions_, vaddr);
  }
  [[nodiscard]] const Symbol* Object(std::uint64_t vaddr) const {
    return Containing(objects_, vaddr);
  }
  // Looks at all of them: for a question asked once a file.
  [[nodiscard]] const Symbol* ObjectNamed(std::string_view name) const;
  [[nodiscard]] const std::vector<Symbol>& functions() const { return functions_; }
  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] bool empty() const { return functions_.empty() && objects_.empty(); }

 private:
  static const Symbol* Containing(const std::vector<Symbol>& symbols, std::uint64_t vaddr);
  std::vector<Symbol> functions_;
  std::vector<Symbol> objects_;
  std::vector<Bytes> names_;  // what Symbol::name points into
};

// Orders names of one address: the better one first. Deterministic.
bool IsBetterName(const Symbol& left, const Symbol& right);

}  // namespace ct
