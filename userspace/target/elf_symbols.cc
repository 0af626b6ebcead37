#include "target/elf_symbols.h"

namespace ct {

std::optional<ElfSymbols> ReadSymbols(ByteSource& source, const ElfFile& file,
                                      std::string_view section) {
  constexpr std::uint64_t kMaxTable = 256 << 20;  // ten million symbols
  constexpr std::uint64_t kMaxNames = 512 << 20;
  const ElfSection* table = file.Section(section);
  if (table == nullptr || table->link >= file.sections.size()) return std::nullopt;
  auto entries = ReadSection(source, *table, kMaxTable);
  auto names = ReadSection(source, file.sections[table->link], kMaxNames);
  if (!entries || !names || names->empty()) return std::nullopt;
  names->back() = std::byte{0};
  return ElfSymbols{std::move(*entries), std::move(*names)};
}

bool IsFunction(const Elf64_Sym& symbol, const ElfFile& file) {
  const unsigned type = ELF64_ST_TYPE(symbol.st_info);
  if (type == STT_FUNC || type == STT_GNU_IFUNC) return true;
  // Assembler often leaves the type out.
  return type == STT_NOTYPE && symbol.st_shndx < file.sections.size() &&
         (file.sections[symbol.st_shndx].flags & SHF_EXECINSTR) != 0;
}

}  // namespace ct
