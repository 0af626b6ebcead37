// One symbol table of an ELF file, as it stands there.
#pragma once

#include <elf.h>

#include <cstring>
#include <optional>
#include <string_view>

#include "target/elf_file.h"

namespace ct {

struct ElfSymbols {
  Bytes entries;
  Bytes names;  // ends with a NUL

  // visit(const Elf64_Sym&, const char* name) for each symbol that is defined and has a name.
  template <class Visit>
  void ForEach(Visit visit) const {
    const auto* text = reinterpret_cast<const char*>(names.data());
    for (std::size_t at = 0; at + sizeof(Elf64_Sym) <= entries.size(); at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      std::memcpy(&symbol, entries.data() + at, sizeof(symbol));
      if (symbol.st_shndx == SHN_UNDEF || symbol.st_name >= names.size()) continue;
      visit(symbol, text + symbol.st_name);
    }
  }
};

// The table in the section of this name (".symtab", ".dynsym"); nullopt if there is none or it is
// malformed.
std::optional<ElfSymbols> ReadSymbols(ByteSource& source, const ElfFile& file,
                                      std::string_view section);

// `file` has the symbol.
bool IsFunction(const Elf64_Sym& symbol, const ElfFile& file);

}  // namespace ct
