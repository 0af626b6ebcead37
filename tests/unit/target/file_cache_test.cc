#include "target/file_cache.h"

#include <fcntl.h>

#include <gtest/gtest.h>

namespace ct {
namespace {

class VictimOpener final : public FileOpener {
 public:
  std::unique_ptr<ByteSource> Open() override {
    auto source = FileSource::Open(UniqueFd(open(CT_VICTIM, O_RDONLY | O_CLOEXEC)));
    return source ? std::make_unique<FileSource>(std::move(*source)) : nullptr;
  }
};

FileIdentity Identity(std::uint64_t inode, std::int64_t changed_ns = 0) {
  return {.device = 1, .inode = inode, .size = 100, .modified_ns = 5, .changed_ns = changed_ns};
}

TEST(FileCache, SharesAFileAndTellsItsVersionsApart) {
  FileCache cache({});
  const auto source = VictimOpener().Open();
  const auto first = cache.Get(Identity(1), *source);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(cache.Get(Identity(1), *source), first);
  EXPECT_NE(cache.Get(Identity(2), *source), first);
  EXPECT_NE(cache.Get(Identity(1, 7), *source), first);
}

TEST(FileCache, RemembersWhatIsNoElfFile) {
  FileCache cache({});
  BufferSource text(Bytes(4096));
  EXPECT_EQ(cache.Get(Identity(1), text), nullptr);
  const auto victim = VictimOpener().Open();
  EXPECT_EQ(cache.Get(Identity(1), *victim), nullptr);
}

TEST(FileCache, ForgetsWhatWasUsedLeastRecently) {
  FileCache cache({.max_bytes = 100 << 10, .debug_root = "/nonexistent"});
  VictimOpener opener;
  const auto source = opener.Open();
  const auto held = cache.Get(Identity(0), *source);
  for (std::uint64_t inode = 1; inode < 50; ++inode) {
    cache.Get(Identity(inode), *source)->Describe(0x1000, true, opener);
  }
  const auto last = cache.Get(Identity(49), *source);
  ASSERT_GT(cache.bytes(), 100u << 10);
  cache.Trim();
  EXPECT_LE(cache.bytes(), 100u << 10);
  EXPECT_EQ(cache.Get(Identity(49), *source), last);
  EXPECT_EQ(cache.Get(Identity(0), *source), held) << "a file in use stays shared";
  EXPECT_FALSE(last->Describe(0x1000, true, opener).empty()) << "and loads again";
}

}  // namespace
}  // namespace ct
