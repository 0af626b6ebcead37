// Catalogs in a directory: who may write them, and in which order they count.
#include "probes/catalog_files.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace ct {
namespace {

namespace fs = std::filesystem;

std::string Family(const std::string& name, const std::string& file) {
  return "[[family]]\nname = \"" + name + "\"\nfiles = [\"" + file +
         "\"]\nkind = \"mutex\"\nfunction = [{ name = \"l\", role = \"acquire\" }, { name = "
         "\"u\", role = \"release\" }]\n";
}

class CatalogFiles : public testing::Test {
 protected:
  CatalogFiles() {
    std::string pattern = testing::TempDir() + "catalogXXXXXX";
    directory_ = mkdtemp(pattern.data());
    chmod(directory_.c_str(), 0755);
  }
  void TearDown() override { fs::remove_all(directory_); }

  void Write(const std::string& name, const std::string& text, mode_t mode = 0644) const {
    std::ofstream(directory_ + "/" + name) << text;
    chmod((directory_ + "/" + name).c_str(), mode);
  }
  [[nodiscard]] Result<std::vector<CatalogFamily>> Load() const {
    return LoadCatalogFiles(directory_, geteuid());
  }
  // Without the directory.
  [[nodiscard]] std::string Wrong(ErrorCode code) const {
    const auto loaded = Load();
    EXPECT_FALSE(loaded);
    if (loaded) return "";
    EXPECT_EQ(loaded.error().code, code);
    std::string message = loaded.error().message;
    if (message.starts_with(directory_)) message.erase(0, directory_.size());
    return message;
  }

  std::string directory_;
};

TEST_F(CatalogFiles, NoDirectoryAndNoFilesAreNoMistake) {
  EXPECT_EQ(Load().value_or(std::vector<CatalogFamily>{{}}).size(), 0U);
  EXPECT_EQ(LoadCatalogFiles(directory_ + "/none", geteuid())
                .value_or(std::vector<CatalogFamily>{{}})
                .size(),
            0U);
}

TEST_F(CatalogFiles, InTheOrderOfTheirNamesALaterOneReplaces) {
  Write("20-b.toml", Family("b", "second") + Family("c", "second"));
  Write("10-a.toml", Family("a", "first") + Family("b", "first"));
  Write("notes.txt", "not a catalog");
  Write(".hidden.toml", "not a catalog");
  const auto loaded = Load();
  ASSERT_TRUE(loaded) << loaded.error().message;
  ASSERT_EQ(loaded->size(), 3U);
  EXPECT_EQ((*loaded)[0].name, "a");
  EXPECT_EQ((*loaded)[1].name, "b");
  EXPECT_EQ((*loaded)[1].files[0], "second");
  EXPECT_EQ((*loaded)[1].source, directory_ + "/20-b.toml:1");
  EXPECT_EQ((*loaded)[2].name, "c");
}

TEST_F(CatalogFiles, AMistakeIsSaidWithFileAndLine) {
  Write("a.toml", Family("a", "x"));
  Write("b.toml", "\n[[family]]\nname = 3\n");
  EXPECT_EQ(Wrong(ErrorCode::kMalformed), "/b.toml:2: a family lacks its files");
}

TEST_F(CatalogFiles, WhatOthersCanWriteIsRefused) {
  Write("a.toml", Family("a", "x"), 0664);
  EXPECT_EQ(Wrong(ErrorCode::kPermission), "/a.toml: writable by others than its owner");
  Write("a.toml", Family("a", "x"), 0646);
  EXPECT_EQ(Wrong(ErrorCode::kPermission), "/a.toml: writable by others than its owner");
  Write("a.toml", Family("a", "x"));
  EXPECT_TRUE(Load());
  chmod(directory_.c_str(), 0777);
  EXPECT_EQ(Wrong(ErrorCode::kPermission), ": writable by others than its owner");
}

TEST_F(CatalogFiles, WhatIsOfAnotherIsRefused) {
  Write("a.toml", Family("a", "x"));
  const uid_t other = geteuid() + 1;
  const auto loaded = LoadCatalogFiles(directory_, other);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::kPermission);
  EXPECT_EQ(loaded.error().message, directory_ + ": its owner is uid " + std::to_string(geteuid()) +
                                        ", not " + std::to_string(other));
}

TEST_F(CatalogFiles, OnlyRegularFilesOfALimitedSize) {
  ASSERT_EQ(mkfifo((directory_ + "/a.toml").c_str(), 0644), 0);
  EXPECT_EQ(Wrong(ErrorCode::kMalformed), "/a.toml: no regular file");
  fs::remove(directory_ + "/a.toml");
  fs::create_directory(directory_ + "/b.toml");
  EXPECT_EQ(Wrong(ErrorCode::kMalformed), "/b.toml: no regular file");
  fs::remove(directory_ + "/b.toml");
  fs::create_symlink("nowhere", directory_ + "/c.toml");
  EXPECT_EQ(Wrong(ErrorCode::kNotFound), "/c.toml: No such file or directory");
  fs::remove(directory_ + "/c.toml");
  std::string large = Family("a", "x");
  large.resize(kMaxCatalogFileBytes, '\n');
  Write("d.toml", large);
  EXPECT_TRUE(Load());
  Write("d.toml", large + "\n");
  EXPECT_EQ(Wrong(ErrorCode::kMalformed), "/d.toml: longer than 256 KiB");
}

TEST_F(CatalogFiles, ALimitedNumber) {
  for (std::size_t i = 0; i < kMaxCatalogFiles; ++i) {
    Write(std::to_string(i) + ".toml", Family("f" + std::to_string(i), "x"));
  }
  EXPECT_EQ(Load().value_or(std::vector<CatalogFamily>{}).size(), kMaxCatalogFiles);
  Write("one_more.toml", Family("more", "x"));
  EXPECT_EQ(Wrong(ErrorCode::kMalformed), ": more than 64 files");
}

TEST_F(CatalogFiles, AFileInsteadOfTheDirectory) {
  Write("a.toml", "");
  const auto loaded = LoadCatalogFiles(directory_ + "/a.toml", geteuid());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().message, directory_ + "/a.toml: Not a directory");
}

}  // namespace
}  // namespace ct
