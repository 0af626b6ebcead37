// Real ELF bytes, mangled: nothing that a file says may crash us or keep us busy.
#include <elf.h>
#include <fcntl.h>

#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "target/cached_file.h"
#include "target/debug_files.h"
#include "target/eh_frame.h"

namespace ct {
namespace {

class BytesOpener final : public FileOpener {
 public:
  explicit BytesOpener(const Bytes& bytes) : bytes_(bytes) {}
  std::unique_ptr<ByteSource> Open() override { return std::make_unique<BufferSource>(bytes_); }

 private:
  const Bytes& bytes_;
};

Bytes Victim() {
  auto source = FileSource::Open(UniqueFd(open(CT_VICTIM, O_RDONLY | O_CLOEXEC)));
  return source->ReadRange(0, source->size(), source->size()).value();
}

// Asks everything that can be asked about a file.
void AskEverything(const Bytes& bytes, std::uint64_t text) {
  BytesOpener opener(bytes);
  const auto source = opener.Open();
  auto elf = ElfFile::Read(*source);
  if (!elf) return;
  LoadBias(*elf, 0x7f0000001000, 0x1000, true, false);
  FunctionStarts(*source, *elf);
  MiniDebugInfo(*source, *elf);
  CachedFile file(std::move(*elf), "/nonexistent");
  for (std::uint64_t offset = 0; offset < 0x400; offset += 0x40) {
    if (UnwindTable* table = file.Unwinding(opener)) table->Find(text + offset);
    file.Describe(text + offset, true, opener);
  }
  if (const SymbolTable* symbols = file.Symbols(opener)) {
    (void)symbols->Object(text);
    (void)InternalNames::Load(*source, file.elf(), *symbols).NameFor(text);
  }
}

class HostileElf : public testing::Test {
 protected:
  void SetUp() override {
    original_ = Victim();
    BufferSource source(original_);
    const auto elf = ElfFile::Read(source);
    ASSERT_TRUE(elf);
    elf_ = *elf;
    text_ = elf_.Section(".text")->address;
  }
  std::uint64_t Random(std::uint64_t end) { return random_() % end; }
  // Overwrites eight bytes with a number that breaks arithmetic.
  void Overwrite(Bytes& bytes, std::uint64_t begin, std::uint64_t size) {
    const std::uint64_t interesting[] = {
        0, 1, ~0ULL, ~0ULL >> 1, 1ULL << 63, 0xffffffff, bytes.size(), bytes.size() - 1, random_()};
    const std::uint64_t value = interesting[Random(std::size(interesting))];
    const std::uint64_t at = begin + Random(size);
    const std::size_t length = 1ULL << Random(4);
    if (at + length <= bytes.size()) std::memcpy(bytes.data() + at, &value, length);
  }

  std::mt19937_64 random_{42};  // fixed: a failure must be reproducible
  Bytes original_;
  ElfFile elf_;
  std::uint64_t text_ = 0;
};

TEST_F(HostileElf, MangledHeaders) {
  const auto read = [&](std::size_t offset) {
    std::uint64_t value;
    std::memcpy(&value, original_.data() + offset, sizeof(value));
    return value;
  };
  const std::uint64_t table = read(offsetof(Elf64_Ehdr, e_shoff));
  for (int i = 0; i < 1500; ++i) {
    Bytes bytes = original_;
    for (std::uint64_t n = Random(6) + 1; n > 0; --n) {
      const bool in_sections = Random(2) == 0;
      if (in_sections) {
        Overwrite(bytes, table, bytes.size() - table);
      } else {
        Overwrite(bytes, 0, 1024);
      }
    }
    AskEverything(bytes, text_);
  }
}

// Where a section's contents are mangled, the headers are right, and libdw gets to see it.
class HostileSection : public HostileElf, public testing::WithParamInterface<const char*> {};

TEST_P(HostileSection, MangledContents) {
  const ElfSection* section = elf_.Section(GetParam());
  ASSERT_NE(section, nullptr);
  for (int i = 0; i < 400; ++i) {
    Bytes bytes = original_;
    for (std::uint64_t n = Random(8) + 1; n > 0; --n) {
      Overwrite(bytes, section->offset, section->size);
    }
    AskEverything(bytes, text_);
  }
}

INSTANTIATE_TEST_SUITE_P(Sections, HostileSection,
                         testing::Values(".eh_frame", ".eh_frame_hdr", ".debug_info",
                                         ".debug_abbrev", ".debug_line", ".debug_aranges",
                                         ".debug_rnglists", ".debug_line_str", ".symtab", ".strtab",
                                         ".note.gnu.build-id"));

TEST_F(HostileElf, CutOff) {
  for (std::size_t size = 0; size < original_.size(); size += original_.size() / 300 + 1) {
    AskEverything(Bytes(original_.begin(), original_.begin() + static_cast<std::ptrdiff_t>(size)),
                  text_);
  }
}

// The same library, unmangled: the questions above do reach what they are meant to reach.
TEST_F(HostileElf, UnmangledAnswersEverything) {
  BytesOpener opener(original_);
  CachedFile file(elf_, "/nonexistent");
  int rows = 0;
  int named = 0;
  int with_line = 0;
  for (std::uint64_t offset = 0; offset < 0x400; offset += 0x10) {
    rows += file.Unwinding(opener)->Find(text_ + offset) != nullptr ? 1 : 0;
    const auto& places = file.Describe(text_ + offset, true, opener);
    named += places.back().function.empty() ? 0 : 1;
    with_line += places.front().line != 0 ? 1 : 0;
  }
  EXPECT_GT(rows, 10);
  EXPECT_GT(named, 10);
  EXPECT_GT(with_line, 5);
}

}  // namespace
}  // namespace ct
