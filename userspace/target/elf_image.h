// A minimal ELF file in memory, made of a few sections of another one, for libdw to work on: libdw
// then never sees the target's file, and what it can allocate is bounded by what was copied.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "target/elf_file.h"
#include "target/elf_handles.h"

namespace ct {

class ElfImage {
 public:
  // Copies the given sections (each at its address). nullptr if none has bytes, or if together,
  // decompressed, they would exceed `limit` bytes.
  static std::unique_ptr<ElfImage> Build(ByteSource& source, std::span<const ElfSection> sections,
                                         std::uint64_t limit);

  [[nodiscard]] Elf* elf() const { return elf_.get(); }
  // Of memory, with what libdw decompresses.
  [[nodiscard]] std::size_t bytes() const { return size_ + inflated_; }

 private:
  ElfImage() = default;
  std::unique_ptr<std::byte[]> data_;
  std::size_t size_ = 0;
  std::uint64_t inflated_ = 0;  // of all sections, compressed or not
  UniqueElf elf_;
};

// The sections of `file` with one of these names.
std::vector<ElfSection> SectionsNamed(const ElfFile& file, std::span<const std::string_view> names);

}  // namespace ct
