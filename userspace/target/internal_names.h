// Names for the local functions of stripped libraries. glibc's slow paths (of sem_wait,
// pthread_mutex_timedlock, pthread_join...) have no symbol in .dynsym: they are named by the
// exported function that calls or jumps to them.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "target/elf_file.h"
#include "target/symbol_table.h"

namespace ct {

class InternalNames {
 public:
  // Reads the code of the table's global functions once. The table must outlive the result.
  static InternalNames Load(ByteSource& source, const ElfFile& file, const SymbolTable& exported);

  // The exported function in whose service the unnamed function at `vaddr` runs; nullptr if none
  // or more than a few call it (then its name would say nothing). Of several the shortest.
  [[nodiscard]] const char* NameFor(std::uint64_t vaddr) const;
  // Where the function that contains `vaddr` begins, by .eh_frame_hdr; 0 if unknown.
  [[nodiscard]] std::uint64_t FunctionStart(std::uint64_t vaddr) const;
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct Callers {
    Symbol best;  // its name points into the table given to Load
    std::uint64_t last_caller = 0;
    std::uint32_t count = 0;
  };
  void AddCallsOf(const Symbol& function, std::span<const std::byte> text, std::uint64_t address);
  std::vector<std::uint64_t> starts_;
  std::unordered_map<std::uint64_t, Callers> callers_;  // by first address of the callee
};

}  // namespace ct
