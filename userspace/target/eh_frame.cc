#include "target/eh_frame.h"

#include <dwarf.h>
#include <elf.h>

#include <algorithm>
#include <cstring>

namespace ct {
namespace {

constexpr std::uint64_t kMaxHeader = 64 << 20;

// What GNU ld, gold and lld write: version 1, a pc-relative pointer to .eh_frame, and a table of
// pairs of 32-bit offsets from the header (Linux Standard Base, "Exception Frames").
struct EhFrameHeader {
  std::uint8_t version;
  std::uint8_t pointer_encoding;
  std::uint8_t count_encoding;
  std::uint8_t table_encoding;
  std::int32_t eh_frame;  // relative to this field
  std::uint32_t count;
};
static_assert(sizeof(EhFrameHeader) == 12);
constexpr std::uint8_t kPcRelative = DW_EH_PE_pcrel | DW_EH_PE_sdata4;
constexpr std::uint8_t kHeaderRelative = DW_EH_PE_datarel | DW_EH_PE_sdata4;

const ElfSegment* EhFrameSegment(const ElfFile& file) {
  for (const ElfSegment& segment : file.segments) {
    if (segment.type == PT_GNU_EH_FRAME) return &segment;
  }
  return nullptr;
}

std::vector<ElfSection> BySegment(ByteSource& source, const ElfFile& file) {
  const ElfSegment* segment = EhFrameSegment(file);
  if (segment == nullptr) return {};
  const auto bytes = source.ReadRange(segment->offset, segment->file_size, kMaxHeader);
  EhFrameHeader header;
  if (!bytes || bytes->size() < sizeof(header)) return {};
  std::memcpy(&header, bytes->data(), sizeof(header));
  if (header.version != 1 || header.pointer_encoding != kPcRelative) return {};
  const std::uint64_t address = segment->vaddr + offsetof(EhFrameHeader, eh_frame) +
                                static_cast<std::uint64_t>(std::int64_t{header.eh_frame});
  for (const ElfSegment& load : file.segments) {
    if (load.type != PT_LOAD || address < load.vaddr) continue;
    const std::uint64_t skipped = address - load.vaddr;
    if (skipped >= load.file_size) continue;
    return {{".eh_frame_hdr", SHT_PROGBITS, SHF_ALLOC, segment->vaddr, segment->offset,
             segment->file_size, 0},
            {".eh_frame", SHT_PROGBITS, SHF_ALLOC, address, load.offset + skipped,
             load.file_size - skipped, 0}};
  }
  return {};
}

}  // namespace

std::vector<ElfSection> EhFrameSections(ByteSource& source, const ElfFile& file) {
  const ElfSection* frame = file.Section(".eh_frame");
  if (frame == nullptr) return BySegment(source, file);
  std::vector<ElfSection> sections;
  if (const ElfSection* header = file.Section(".eh_frame_hdr")) sections.push_back(*header);
  sections.push_back(*frame);
  // Some tools mark it SHT_X86_64_UNWIND, which is the same thing to its readers.
  for (ElfSection& section : sections) {
    if (section.type == SHT_X86_64_UNWIND) section.type = SHT_PROGBITS;
  }
  return sections;
}

std::vector<std::uint64_t> FunctionStarts(ByteSource& source, const ElfFile& file) {
  std::vector<std::uint64_t> starts;
  for (const ElfSection& section : EhFrameSections(source, file)) {
    if (section.name != ".eh_frame_hdr") continue;
    const auto bytes = ReadSection(source, section, kMaxHeader);
    EhFrameHeader header;
    if (!bytes || bytes->size() < sizeof(header)) return {};
    std::memcpy(&header, bytes->data(), sizeof(header));
    if (header.version != 1 || header.pointer_encoding != kPcRelative ||
        header.count_encoding != DW_EH_PE_udata4 || header.table_encoding != kHeaderRelative) {
      return {};
    }
    constexpr std::size_t kEntry = 8;
    const std::size_t count =
        std::min<std::size_t>(header.count, (bytes->size() - sizeof(header)) / kEntry);
    starts.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      std::int32_t relative;
      std::memcpy(&relative, bytes->data() + sizeof(header) + i * kEntry, sizeof(relative));
      starts.push_back(section.address + static_cast<std::uint64_t>(std::int64_t{relative}));
    }
  }
  std::sort(starts.begin(), starts.end());
  return starts;
}

}  // namespace ct
