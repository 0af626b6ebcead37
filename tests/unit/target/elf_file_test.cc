#include "target/elf_file.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>

#include <cstring>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "target/cached_file.h"
#include "target/eh_frame.h"

namespace ct {
namespace {

class FdOpener final : public FileOpener {
 public:
  explicit FdOpener(int fd) : fd_(fd) {}
  std::unique_ptr<ByteSource> Open() override {
    auto source = FileSource::Open(UniqueFd(dup(fd_)));
    return source ? std::make_unique<FileSource>(std::move(*source)) : nullptr;
  }

 private:
  int fd_;
};

TEST(ElfFile, ReadsALibrary) {
  auto source = FileSource::Open(UniqueFd(open(CT_VICTIM, O_RDONLY | O_CLOEXEC)));
  ASSERT_TRUE(source);
  const auto file = ElfFile::Read(*source);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->type, ET_DYN);
  EXPECT_FALSE(file->is_go);
  ASSERT_NE(file->Section(".text"), nullptr);
  EXPECT_EQ(file->Section(".nonsense"), nullptr);
  const ElfSection& text = *file->Section(".text");
  EXPECT_EQ(file->SectionAt(text.address), &text);
  EXPECT_EQ(file->OffsetOf(text.address), text.offset);
  EXPECT_EQ(file->OffsetOf(~0ULL), std::nullopt);
  EXPECT_FALSE(FunctionStarts(*source, *file).empty());
}

TEST(ElfFile, TellsOtherMachinesFromNonsense) {
  BufferSource empty{Bytes()};
  EXPECT_EQ(ElfFile::Read(empty).error().code, ErrorCode::kMalformed);
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS32;
  const auto bytes = std::as_bytes(std::span(&header, 1));
  BufferSource other(Bytes(bytes.begin(), bytes.end()));
  EXPECT_EQ(ElfFile::Read(other).error().code, ErrorCode::kUnsupported);
}

// lld puts the code at a file offset that differs from its address by more than the base.
TEST(LoadBias, IsComputedForEachSegment) {
  ElfFile file;
  file.segments = {{PT_LOAD, PF_R, 0, 0, 0x540, 0x540},
                   {PT_LOAD, PF_R | PF_X, 0x540, 0x1540, 0x1000, 0x1000},
                   {PT_LOAD, PF_R | PF_W, 0x1540, 0x3540, 0x10, 0x100}};
  constexpr std::uint64_t kBase = 0x7f0000000000;
  EXPECT_EQ(LoadBias(file, kBase, 0, false, false), kBase);
  EXPECT_EQ(LoadBias(file, kBase + 0x1000, 0, true, false), kBase);
  EXPECT_EQ(LoadBias(file, kBase + 0x3000, 0x1000, false, true), kBase);
  EXPECT_EQ(LoadBias(file, kBase, 0x10000, true, false), std::nullopt);
  EXPECT_EQ(LoadBias(ElfFile(), kBase, 0, true, false), std::nullopt);
}

// lld has two writable segments, of which the first is read-only once it is relocated; they share a
// page of the file.
TEST(LoadBias, OfAPageOfTwoWritableSegmentsIsThatOfTheOneThatBegins) {
  ElfFile file;
  file.segments = {{PT_LOAD, PF_R | PF_X, 0x192e0, 0x1a2e0, 0x49ec0, 0x49ec0},
                   {PT_LOAD, PF_R | PF_W, 0x631a0, 0x651a0, 0x3218, 0x3e60},
                   {PT_LOAD, PF_R | PF_W, 0x663b8, 0x693b8, 0x9c8, 0xac2}};
  constexpr std::uint64_t kBase = 0x7f0000000000;
  EXPECT_EQ(LoadBias(file, kBase + 0x65000, 0x63000, false, false), kBase);
  EXPECT_EQ(LoadBias(file, kBase + 0x69000, 0x66000, false, true), kBase);
}

TEST(LoadBias, SurvivesSegmentsAtTheEndOfTheNumbers) {
  ElfFile file;
  file.segments = {{PT_LOAD, PF_X, ~0ULL - 4, ~0ULL, ~0ULL, ~0ULL}, {PT_LOAD, PF_X, 0, 0, 0, 0}};
  EXPECT_EQ(LoadBias(file, 0x1000, 0, true, false), std::nullopt);
}

// Every section claims four gigabytes of a sparse file: nobody may read them.
TEST(ElfFile, DoesNotPayForWhatASparseFileClaims) {
  const UniqueFd fd(memfd_create("sparse", MFD_CLOEXEC));
  ASSERT_TRUE(fd.ok());
  constexpr std::uint64_t kSize = 4ULL << 30;
  ASSERT_EQ(ftruncate(fd.get(), kSize), 0);

  const std::string names("\0.symtab\0.strtab\0.eh_frame\0.debug_line\0.debug_info\0.dynsym\0", 59);
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_machine = EM_X86_64;
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shoff = sizeof(header);
  std::vector<Elf64_Shdr> sections(1);
  for (const char* name :
       {".symtab", ".strtab", ".eh_frame", ".debug_line", ".debug_info", ".dynsym"}) {
    Elf64_Shdr section{};
    section.sh_name = static_cast<Elf64_Word>(names.find(name));
    section.sh_type = SHT_PROGBITS;
    section.sh_flags = SHF_ALLOC;
    section.sh_offset = 0;
    section.sh_size = kSize;
    section.sh_link = 2;
    sections.push_back(section);
  }
  sections.push_back({.sh_name = 0,
                      .sh_type = SHT_STRTAB,
                      .sh_flags = 0,
                      .sh_addr = 0,
                      .sh_offset = 4096,
                      .sh_size = names.size(),
                      .sh_link = 0,
                      .sh_info = 0,
                      .sh_addralign = 1,
                      .sh_entsize = 0});
  header.e_shnum = static_cast<Elf64_Half>(sections.size());
  header.e_shstrndx = static_cast<Elf64_Half>(sections.size() - 1);
  ASSERT_EQ(pwrite(fd.get(), &header, sizeof(header), 0), ssize_t{sizeof(header)});
  const std::size_t table = sections.size() * sizeof(Elf64_Shdr);
  ASSERT_EQ(pwrite(fd.get(), sections.data(), table, sizeof(header)), static_cast<ssize_t>(table));
  ASSERT_EQ(pwrite(fd.get(), names.data(), names.size(), 4096), static_cast<ssize_t>(names.size()));

  FdOpener opener(fd.get());
  auto elf = ElfFile::Read(*opener.Open());
  ASSERT_TRUE(elf);
  ASSERT_NE(elf->Section(".eh_frame"), nullptr);
  CachedFile file(std::move(*elf), "/nonexistent");
  rusage before{};
  rusage after{};
  getrusage(RUSAGE_SELF, &before);
  EXPECT_EQ(file.Describe(0x1000, true, opener).back().function, "");
  ASSERT_NE(file.Unwinding(opener), nullptr);
  EXPECT_EQ(file.Unwinding(opener)->Find(0x1000), nullptr);
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 << 10);  // KiB
}

TEST(ByteSource, ReadsNothingBeyondTheEndOrTheLimit) {
  BufferSource source(Bytes(100));
  EXPECT_EQ(source.ReadRange(0, 100, 100)->size(), 100u);
  EXPECT_FALSE(source.ReadRange(0, 100, 99));
  EXPECT_FALSE(source.ReadRange(1, 100, 1000));
  EXPECT_FALSE(source.ReadRange(~0ULL, 2, 1000));
  EXPECT_FALSE(source.ReadRange(2, ~0ULL, ~0ULL));
}

// A file that was cut after we looked at its size gives fewer bytes, and no SIGBUS.
TEST(ByteSource, SurvivesAFileThatIsCutMeanwhile) {
  const UniqueFd fd(memfd_create("cut", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(fd.get(), 8192), 0);
  auto source = FileSource::Open(UniqueFd(dup(fd.get())));
  ASSERT_TRUE(source);
  ASSERT_EQ(ftruncate(fd.get(), 10), 0);
  EXPECT_FALSE(source->ReadRange(0, 8192, 8192));
  EXPECT_TRUE(source->ReadRange(0, 10, 8192));
}

}  // namespace
}  // namespace ct
