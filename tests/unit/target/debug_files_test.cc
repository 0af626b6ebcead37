#include "target/debug_files.h"

#include <elf.h>
#include <fcntl.h>
#include <lzma.h>

#include <filesystem>

#include <gtest/gtest.h>

namespace ct {
namespace {

std::string Pack(const std::string& text) {
  std::string packed(text.size() + 1000, '\0');
  std::size_t size = 0;
  EXPECT_EQ(lzma_easy_buffer_encode(
                6, LZMA_CHECK_CRC64, nullptr, reinterpret_cast<const std::uint8_t*>(text.data()),
                text.size(), reinterpret_cast<std::uint8_t*>(packed.data()), &size, packed.size()),
            LZMA_OK);
  return packed.substr(0, size);
}

std::optional<Bytes> Unpack(const std::string& packed) {
  const auto bytes = std::as_bytes(std::span(packed));
  BufferSource source(Bytes(bytes.begin(), bytes.end()));
  ElfFile file;
  file.sections = {{".gnu_debugdata", SHT_PROGBITS, 0, 0, 0, packed.size(), 0}};
  return MiniDebugInfo(source, file);
}

TEST(MiniDebugInfo, IsDecompressed) {
  const std::string text(1 << 20, 'x');
  const auto unpacked = Unpack(Pack(text));
  ASSERT_TRUE(unpacked);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(unpacked->data()), unpacked->size()), text);
}

TEST(MiniDebugInfo, IsRefusedWhenMalformedOrABomb) {
  const std::string packed = Pack(std::string(1000, 'x'));
  EXPECT_FALSE(Unpack(""));
  EXPECT_FALSE(Unpack("not xz at all"));
  EXPECT_FALSE(Unpack(packed.substr(0, packed.size() / 2)));
  EXPECT_FALSE(Unpack(Pack(std::string(200 << 20, 'x'))));  // 30 KiB that stand for 200 MiB
  BufferSource empty{Bytes()};
  EXPECT_FALSE(MiniDebugInfo(empty, ElfFile()));
}

class DebugRoot : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "debug_root_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    auto source = FileSource::Open(UniqueFd(open(CT_VICTIM, O_RDONLY | O_CLOEXEC)));
    ASSERT_TRUE(source);
    build_id_ = ElfFile::Read(*source)->build_id;
    ASSERT_GT(build_id_.size(), 10u);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void Install(const std::string& build_id) {
    const auto directory = root_ / ".build-id" / build_id.substr(0, 2);
    std::filesystem::create_directories(directory);
    std::filesystem::copy_file(CT_VICTIM, directory / (build_id.substr(2) + ".debug"));
  }
  std::filesystem::path root_;
  std::string build_id_;
};

TEST_F(DebugRoot, HasTheFileOfABuildId) {
  EXPECT_FALSE(FindDebugFile(root_, build_id_));
  Install(build_id_);
  const auto found = FindDebugFile(root_, build_id_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->elf.build_id, build_id_);
}

TEST_F(DebugRoot, IsNotBelievedWhenTheContentsDiffer) {
  Install("00112233445566778899");
  EXPECT_FALSE(FindDebugFile(root_, "00112233445566778899"));
  EXPECT_FALSE(FindDebugFile(root_, ""));
  EXPECT_FALSE(FindDebugFile("/nonexistent", build_id_));
}

}  // namespace
}  // namespace ct
