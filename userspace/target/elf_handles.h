// Owners of libelf's and libdw's handles.
#pragma once

#include <libelf.h>

#include <memory>

#include <elfutils/libdw.h>

namespace ct {

struct ElfEnd {
  void operator()(Elf* elf) const { elf_end(elf); }
};
struct DwarfEnd {
  void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
};
struct CfiEnd {
  void operator()(Dwarf_CFI* cfi) const { dwarf_cfi_end(cfi); }
};
using UniqueElf = std::unique_ptr<Elf, ElfEnd>;
using UniqueDwarf = std::unique_ptr<Dwarf, DwarfEnd>;
using UniqueCfi = std::unique_ptr<Dwarf_CFI, CfiEnd>;

}  // namespace ct
