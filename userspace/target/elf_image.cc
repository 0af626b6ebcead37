#include "target/elf_image.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

namespace ct {
namespace {

// What the section will take once libdw has decompressed it; nullopt if its header is malformed.
std::optional<std::uint64_t> InflatedSize(const ElfSection& section,
                                          std::span<const std::byte> data) {
  if ((section.flags & SHF_COMPRESSED) != 0) {
    Elf64_Chdr header;
    if (data.size() < sizeof(header)) return std::nullopt;
    std::memcpy(&header, data.data(), sizeof(header));
    return header.ch_size;
  }
  if (section.name.starts_with(".zdebug")) {
    // "ZLIB" and the size as eight big-endian bytes (GNU, before SHF_COMPRESSED).
    constexpr std::size_t kHeader = 12;
    if (data.size() < kHeader || std::memcmp(data.data(), "ZLIB", 4) != 0) return std::nullopt;
    std::uint64_t size = 0;
    for (std::size_t i = 4; i < kHeader; ++i) size = size << 8 | std::to_integer<unsigned>(data[i]);
    return size;
  }
  return data.size();
}

std::size_t Aligned(std::size_t offset) {
  constexpr std::size_t kAlignment = 16;
  return (offset + kAlignment - 1) / kAlignment * kAlignment;
}

// The sections that have bytes in the file; nothing if they are more than `limit` together.
std::vector<ElfSection> Usable(const ByteSource& source, std::span<const ElfSection> sections,
                               std::uint64_t limit) {
  std::vector<ElfSection> usable;
  std::uint64_t total = 0;
  for (const ElfSection& section : sections) {
    const bool has_bytes = section.type != SHT_NOBITS && section.size != 0 &&
                           section.offset <= source.size() &&
                           section.size <= source.size() - section.offset;
    if (!has_bytes) continue;
    if (section.size > limit - total) return {};
    total += section.size;
    usable.push_back(section);
  }
  return usable;
}

Elf64_Shdr Header(const ElfSection& section, std::size_t name, std::size_t offset,
                  std::size_t size) {
  Elf64_Shdr header{};
  header.sh_name = static_cast<Elf64_Word>(name);
  header.sh_type = section.type;
  header.sh_flags = section.flags;
  header.sh_addr = section.address;
  header.sh_offset = offset;
  header.sh_size = size;
  header.sh_addralign = 8;
  return header;
}

Elf64_Ehdr FileHeader(std::size_t section_table, std::size_t sections) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_DYN;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_ehsize = sizeof(Elf64_Ehdr);
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shoff = section_table;
  header.e_shnum = static_cast<Elf64_Half>(sections);
  header.e_shstrndx = static_cast<Elf64_Half>(sections - 1);
  return header;
}

}  // namespace

std::vector<ElfSection> SectionsNamed(const ElfFile& file,
                                      std::span<const std::string_view> names) {
  std::vector<ElfSection> found;
  for (const ElfSection& section : file.sections) {
    if (std::find(names.begin(), names.end(), section.name) != names.end()) {
      found.push_back(section);
    }
  }
  return found;
}

std::unique_ptr<ElfImage> ElfImage::Build(ByteSource& source, std::span<const ElfSection> sections,
                                          std::uint64_t limit) {
  const std::vector<ElfSection> usable = Usable(source, sections, limit);
  if (usable.empty()) return nullptr;

  // The file header, the sections, the section names, the section table.
  std::string names(1, '\0');
  std::vector<Elf64_Shdr> headers(1);
  std::size_t end = sizeof(Elf64_Ehdr);
  const auto add = [&](const ElfSection& section, std::size_t size) {
    headers.push_back(Header(section, names.size(), Aligned(end), size));
    names += section.name;
    names += '\0';
    end = Aligned(end) + size;
  };
  for (const ElfSection& section : usable) add(section, section.size);
  const ElfSection name_section{.name = ".shstrtab", .type = SHT_STRTAB};
  add(name_section, names.size() + name_section.name.size() + 1);
  const std::size_t table = Aligned(end);
  const std::size_t table_size = headers.size() * sizeof(Elf64_Shdr);

  std::unique_ptr<ElfImage> image(new ElfImage);
  image->size_ = table + table_size;
  image->data_ = std::make_unique_for_overwrite<std::byte[]>(image->size_);
  std::byte* const data = image->data_.get();
  const Elf64_Ehdr file_header = FileHeader(table, headers.size());
  std::memcpy(data, &file_header, sizeof(file_header));
  std::memcpy(data + headers.back().sh_offset, names.data(), names.size());
  std::memcpy(data + table, headers.data(), table_size);
  for (std::size_t i = 0; i < usable.size(); ++i) {
    const std::span contents(data + headers[i + 1].sh_offset, usable[i].size);
    if (source.ReadAt(usable[i].offset, contents) != contents.size()) return nullptr;
    const auto inflated = InflatedSize(usable[i], contents);
    if (!inflated || *inflated > limit - std::min(limit, image->inflated_)) return nullptr;
    image->inflated_ += *inflated;
  }
  elf_version(EV_CURRENT);
  image->elf_.reset(elf_memory(reinterpret_cast<char*>(data), image->size_));
  return image->elf_ != nullptr ? std::move(image) : nullptr;
}

}  // namespace ct
