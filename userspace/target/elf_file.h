// The headers of a 64-bit x86 ELF file: segments, sections, build-id. Own code and not libelf,
// because libelf (and bcc_elf_* on top of it) allocates and reads whatever a header claims: one
// section of a 4 GiB sparse file costs 4 GiB.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "target/byte_source.h"

namespace ct {

struct ElfSegment {
  std::uint32_t type = 0;   // PT_*
  std::uint32_t flags = 0;  // PF_*
  std::uint64_t offset = 0;
  std::uint64_t vaddr = 0;
  std::uint64_t file_size = 0;
  std::uint64_t memory_size = 0;
};

struct ElfSection {
  std::string name;
  std::uint32_t type = 0;   // SHT_*
  std::uint64_t flags = 0;  // SHF_*
  std::uint64_t address = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint32_t link = 0;
};

struct ElfFile {
  std::uint16_t type = 0;            // ET_*
  std::vector<ElfSegment> segments;  // all program headers, at most 512
  std::vector<ElfSection> sections;  // at most 4096; empty if the file has none
  std::string build_id;              // lower-case hex; empty if none
  bool is_go = false;                // built by the Go toolchain

  // kUnsupported: ELF, but not 64-bit little-endian x86. kMalformed: anything else that is wrong.
  static Result<ElfFile> Read(ByteSource& source);

  [[nodiscard]] const ElfSection* Section(std::string_view section_name) const;
  // The allocated section that contains this address; nullptr if none.
  [[nodiscard]] const ElfSection* SectionAt(std::uint64_t vaddr) const;
  // Where in the file the byte of this address is.
  [[nodiscard]] std::optional<std::uint64_t> OffsetOf(std::uint64_t vaddr) const;
};

// The whole section; nullopt if it has no bytes in the file, is truncated, or longer than `limit`.
std::optional<Bytes> ReadSection(ByteSource& source, const ElfSection& section,
                                 std::uint64_t limit);

// address - vaddr for addresses of one mapping of the file: [begin, ...) maps file offset
// `file_offset`. Computed for each PT_LOAD, because files linked by lld have p_offset != p_vaddr.
// A page at a border belongs to two segments; `executable` and `writable` of the mapping decide,
// then which of them begins there.
std::optional<std::uint64_t> LoadBias(const ElfFile& file, std::uint64_t begin,
                                      std::uint64_t file_offset, bool executable, bool writable);

}  // namespace ct
