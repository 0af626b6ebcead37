#include "target/elf_image.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

namespace ct {
namespace {

// What the section will take once libdw has decompressed it; nullopt if its header is malformed.
std::optional<std::uint64_t> InflatedSize(const ElfSection& section, const Bytes& data) {
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

void Append(Bytes& out, const void* data, std::size_t size) {
  const auto* bytes = static_cast<const std::byte*>(data);
  out.insert(out.end(), bytes, bytes + size);
}

void Align(Bytes& out) {
  constexpr std::size_t kAlignment = 16;
  out.resize((out.size() + kAlignment - 1) / kAlignment * kAlignment);
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
  std::unique_ptr<ElfImage> image(new ElfImage);
  Bytes& out = image->data_;
  out.resize(sizeof(Elf64_Ehdr));
  std::string names(1, '\0');
  std::vector<Elf64_Shdr> headers(1);
  std::uint64_t total = 0;
  const auto add = [&](const ElfSection& section, const Bytes& data) {
    Align(out);
    headers.push_back(Header(section, names.size(), out.size(), data.size()));
    Append(out, data.data(), data.size());
    names += section.name;
    names += '\0';
  };
  for (const ElfSection& section : sections) {
    const auto data = ReadSection(source, section, limit);
    if (!data || data->empty()) continue;
    const auto inflated = InflatedSize(section, *data);
    if (!inflated || *inflated > limit || total > limit - *inflated) return nullptr;
    total += *inflated;
    add(section, *data);
  }
  if (headers.size() == 1) return nullptr;
  const std::size_t names_offset = out.size();
  const ElfSection name_section{.name = ".shstrtab", .type = SHT_STRTAB};
  headers.push_back(Header(name_section, names.size(), names_offset, 0));
  names += name_section.name;
  names += '\0';
  headers.back().sh_size = names.size();
  Append(out, names.data(), names.size());
  Align(out);
  const Elf64_Ehdr file_header = FileHeader(out.size(), headers.size());
  Append(out, headers.data(), headers.size() * sizeof(Elf64_Shdr));
  std::memcpy(out.data(), &file_header, sizeof(file_header));

  elf_version(EV_CURRENT);
  image->elf_ = elf_memory(reinterpret_cast<char*>(out.data()), out.size());
  image->bytes_ = out.size() + (total > out.size() ? total : 0);
  if (image->elf_ == nullptr) return nullptr;
  return image;
}

ElfImage::~ElfImage() {
  if (elf_ != nullptr) elf_end(elf_);
}

}  // namespace ct
