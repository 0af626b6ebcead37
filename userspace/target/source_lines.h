// Source lines and inlined functions of one file, from its DWARF.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "target/elf_image.h"

namespace ct {

// A place in the source. Of an address in inlined code there are several, innermost first; the
// last one is the function that is really there, and has no name here (its symbol has).
struct SourcePlace {
  std::string function;
  std::string file;
  std::uint32_t line = 0;  // 0: unknown
};

class SourceLines {
 public:
  // nullptr if the file has no debug information or more of it than we read (256 MiB).
  // Split DWARF (.dwo) and supplementary files are not followed: their paths come from the file,
  // and libdw would open them in our own mount namespace.
  static std::unique_ptr<SourceLines> Load(ByteSource& source, const ElfFile& file);

  // Empty if nothing is known.
  std::vector<SourcePlace> Find(std::uint64_t vaddr);
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct Range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    Dwarf_Off die = 0;
    bool operator<(const Range& other) const { return begin < other.begin; }
  };
  using Ranges = std::vector<Range>;  // sorted by begin

  SourceLines() = default;
  bool FindUnit(std::uint64_t vaddr, Dwarf_Die& unit);
  bool UnitByAranges(std::uint64_t vaddr, Dwarf_Die& unit);
  void ListUnits();
  const Ranges& FunctionsOf(Dwarf_Die& unit);
  void ListFunctions(Dwarf_Die& parent, int depth, std::size_t& budget, Ranges& out);
  static void AddRanges(Dwarf_Die& die, Ranges& out);
  static const Range* FindRange(const Ranges& ranges, std::uint64_t vaddr);
  void DescendInlines(Dwarf_Die& unit, Dwarf_Die& function, std::uint64_t vaddr,
                      std::vector<SourcePlace>& places);

  std::unique_ptr<ElfImage> image_;
  UniqueDwarf dwarf_;  // works on image_
  bool units_listed_ = false;
  Ranges units_;
  std::unordered_map<Dwarf_Off, Ranges> functions_;  // by unit
};

}  // namespace ct
