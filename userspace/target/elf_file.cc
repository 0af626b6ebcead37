#include "target/elf_file.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace ct {
namespace {

// Far above what linkers produce, low enough to be read without thinking.
constexpr std::size_t kMaxSegments = 512;
constexpr std::size_t kMaxSections = 4096;
constexpr std::uint64_t kMaxSectionNames = 1 << 20;
constexpr std::uint64_t kMaxNotes = 64 << 10;
constexpr std::size_t kMaxBuildId = 64;
constexpr std::uint64_t kPage = 4096;

template <class T>
std::optional<T> ReadStruct(ByteSource& source, std::uint64_t offset) {
  T value;
  const auto out = std::as_writable_bytes(std::span(&value, 1));
  if (source.ReadAt(offset, out) != sizeof(T)) return std::nullopt;
  return value;
}

// `count` structs at `offset`, or as many as `limit` allows.
template <class T>
std::vector<T> ReadStructs(ByteSource& source, std::uint64_t offset, std::uint64_t count,
                           std::size_t limit) {
  count = std::min<std::uint64_t>(count, limit);
  std::vector<T> values(count);
  const auto out = std::as_writable_bytes(std::span(values));
  values.resize(source.ReadAt(offset, out) / sizeof(T));
  return values;
}

std::vector<ElfSegment> ReadSegments(ByteSource& source, const Elf64_Ehdr& header) {
  std::vector<ElfSegment> segments;
  if (header.e_phentsize != sizeof(Elf64_Phdr)) return segments;
  for (const Elf64_Phdr& raw :
       ReadStructs<Elf64_Phdr>(source, header.e_phoff, header.e_phnum, kMaxSegments)) {
    segments.push_back(
        {raw.p_type, raw.p_flags, raw.p_offset, raw.p_vaddr, raw.p_filesz, raw.p_memsz});
  }
  return segments;
}

std::string NameAt(const Bytes& names, std::uint32_t offset) {
  if (offset >= names.size()) return {};
  const auto* begin = reinterpret_cast<const char*>(names.data()) + offset;
  return std::string(begin, strnlen(begin, names.size() - offset));
}

std::vector<ElfSection> ReadSections(ByteSource& source, const Elf64_Ehdr& header) {
  std::vector<ElfSection> sections;
  if (header.e_shoff == 0 || header.e_shentsize != sizeof(Elf64_Shdr)) return sections;
  const auto raw_sections =
      ReadStructs<Elf64_Shdr>(source, header.e_shoff, header.e_shnum, kMaxSections);
  Bytes names;
  if (header.e_shstrndx < raw_sections.size()) {
    const Elf64_Shdr& raw = raw_sections[header.e_shstrndx];
    names = source.ReadRange(raw.sh_offset, raw.sh_size, kMaxSectionNames).value_or(Bytes());
  }
  for (const Elf64_Shdr& raw : raw_sections) {
    sections.push_back({NameAt(names, raw.sh_name), raw.sh_type, raw.sh_flags, raw.sh_addr,
                        raw.sh_offset, raw.sh_size, raw.sh_link});
  }
  return sections;
}

std::string Hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return text;
}

std::string BuildIdInNotes(std::span<const std::byte> notes) {
  while (notes.size() >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr note;
    std::memcpy(&note, notes.data(), sizeof(note));
    const std::uint64_t name_size = (std::uint64_t{note.n_namesz} + 3) & ~std::uint64_t{3};
    const std::uint64_t description_size = (std::uint64_t{note.n_descsz} + 3) & ~std::uint64_t{3};
    const auto body = notes.subspan(sizeof(note));
    if (name_size > body.size() || note.n_descsz > body.size() - name_size) return {};
    const bool is_build_id = note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
                             std::memcmp(body.data(), "GNU", 4) == 0;
    if (is_build_id && note.n_descsz > 0 && note.n_descsz <= kMaxBuildId) {
      return Hex(body.subspan(name_size, note.n_descsz));
    }
    notes = body.subspan(std::min<std::uint64_t>(name_size + description_size, body.size()));
  }
  return {};
}

std::string ReadBuildId(ByteSource& source, const ElfFile& file) {
  const auto read = [&](std::uint64_t offset, std::uint64_t size) {
    const auto notes = source.ReadRange(offset, size, kMaxNotes);
    return notes ? BuildIdInNotes(*notes) : std::string();
  };
  for (const ElfSegment& segment : file.segments) {
    if (segment.type != PT_NOTE) continue;
    if (std::string id = read(segment.offset, segment.file_size); !id.empty()) return id;
  }
  for (const ElfSection& section : file.sections) {
    if (section.type != SHT_NOTE) continue;
    if (std::string id = read(section.offset, section.size); !id.empty()) return id;
  }
  return {};
}

}  // namespace

Result<ElfFile> ElfFile::Read(ByteSource& source) {
  const auto header = ReadStruct<Elf64_Ehdr>(source, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) {
    return Fail(ErrorCode::kMalformed, "not an ELF file");
  }
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
      header->e_machine != EM_X86_64) {
    return Fail(ErrorCode::kUnsupported, "an ELF file of another machine than 64-bit x86");
  }
  ElfFile file;
  file.type = header->e_type;
  file.segments = ReadSegments(source, *header);
  file.sections = ReadSections(source, *header);
  file.build_id = ReadBuildId(source, file);
  file.is_go = file.Section(".go.buildinfo") != nullptr || file.Section(".gopclntab") != nullptr;
  return file;
}

const ElfSection* ElfFile::Section(std::string_view section_name) const {
  for (const ElfSection& section : sections) {
    if (section.name == section_name) return &section;
  }
  return nullptr;
}

const ElfSection* ElfFile::SectionAt(std::uint64_t vaddr) const {
  for (const ElfSection& section : sections) {
    const bool allocated = (section.flags & SHF_ALLOC) != 0 && (section.flags & SHF_TLS) == 0;
    if (allocated && vaddr >= section.address && vaddr - section.address < section.size) {
      return &section;
    }
  }
  return nullptr;
}

std::optional<std::uint64_t> ElfFile::OffsetOf(std::uint64_t vaddr) const {
  for (const ElfSegment& segment : segments) {
    if (segment.type != PT_LOAD || vaddr < segment.vaddr) continue;
    if (vaddr - segment.vaddr < segment.file_size) return segment.offset + (vaddr - segment.vaddr);
  }
  return std::nullopt;
}

std::optional<Bytes> ReadSection(ByteSource& source, const ElfSection& section,
                                 std::uint64_t limit) {
  if (section.type == SHT_NOBITS) return std::nullopt;
  return source.ReadRange(section.offset, section.size, limit);
}

std::optional<std::uint64_t> LoadBias(const ElfFile& file, std::uint64_t begin,
                                      std::uint64_t file_offset, bool executable, bool writable) {
  std::optional<std::uint64_t> best;
  int best_score = -1;
  for (const ElfSegment& segment : file.segments) {
    if (segment.type != PT_LOAD || segment.file_size == 0) continue;
    const bool starts_before = file_offset >= (segment.offset & ~(kPage - 1));
    const bool ends_after =
        file_offset < segment.offset || file_offset - segment.offset < segment.file_size;
    if (!starts_before || !ends_after) continue;
    const bool same_execute = ((segment.flags & PF_X) != 0) == executable;
    const bool same_write = ((segment.flags & PF_W) != 0) == writable;
    const bool begins = file_offset == (segment.offset & ~(kPage - 1));
    const int score = (same_execute ? 4 : 0) + (same_write ? 2 : 0) + (begins ? 1 : 0);
    if (score <= best_score) continue;
    best_score = score;
    best = begin - file_offset + segment.offset - segment.vaddr;
  }
  return best;
}

}  // namespace ct
