#include "snapshot/file.h"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace ct {
namespace {

namespace fs = std::filesystem;

class SnapshotFile : public ::testing::Test {
 protected:
  SnapshotFile() {
    std::string name = (fs::temp_directory_path() / "ct-file-XXXXXX").string();
    directory_ = mkdtemp(name.data());
  }
  ~SnapshotFile() override { fs::remove_all(directory_); }

  [[nodiscard]] std::string Path(const char* name) const { return directory_ / name; }
  [[nodiscard]] std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory_)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  fs::path directory_;
};

using Listing = std::vector<std::string>;

TEST_F(SnapshotFile, IsWrittenAndReadAgain) {
  const std::string bytes("\0\xff snapshot", 11);
  ASSERT_TRUE(WriteFile(Path("a.pb"), bytes));
  EXPECT_EQ(ReadFile(Path("a.pb")).value(), bytes);
  EXPECT_EQ(Names(), Listing{"a.pb"});
  struct stat file {};
  ASSERT_EQ(stat(Path("a.pb").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0600U);
}

TEST_F(SnapshotFile, ReplacesAnOlderOne) {
  ASSERT_TRUE(WriteFile(Path("a.pb"), "old and longer"));
  ASSERT_TRUE(WriteFile(Path("a.pb"), "new"));
  EXPECT_EQ(ReadFile(Path("a.pb")).value(), "new");
}

TEST_F(SnapshotFile, IsNotWrittenThroughALink) {
  ASSERT_TRUE(WriteFile(Path("victim"), "precious"));
  fs::create_symlink(Path("victim"), Path("link.pb"));
  const auto status = WriteFile(Path("link.pb"), "x");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, Path("link.pb") + ": exists and is not a regular file");
  EXPECT_EQ(ReadFile(Path("victim")).value(), "precious");
}

TEST_F(SnapshotFile, DoesNotReplaceADirectoryOrADevice) {
  fs::create_directory(Path("dir"));
  EXPECT_EQ(WriteFile(Path("dir"), "x").error().code, ErrorCode::kUsage);
  EXPECT_EQ(WriteFile("/dev/null", "x").error().message,
            "/dev/null: exists and is not a regular file");
}

TEST_F(SnapshotFile, NeedsItsDirectory) {
  const auto status = WriteFile(Path("none/a.pb"), "x");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(status.error().message, "writing " + Path("none/a.pb") + ": No such file or directory");
}

// The kernel refuses the second KiB, as on a full disk.
TEST_F(SnapshotFile, LeavesNothingBehindWhenTheDiskIsFull) {
  ASSERT_TRUE(WriteFile(Path("a.pb"), "old"));
  rlimit saved{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &saved), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1024, saved.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto status = WriteFile(Path("a.pb"), std::string(4096, 'x'));
  setrlimit(RLIMIT_FSIZE, &saved);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "writing " + Path("a.pb") + ": File too large");
  EXPECT_EQ(status.error().code, ErrorCode::kIo);
  EXPECT_EQ(Names(), Listing{"a.pb"});
  EXPECT_EQ(ReadFile(Path("a.pb")).value(), "old");
}

TEST_F(SnapshotFile, ReadsRegularFilesOnly) {
  EXPECT_EQ(ReadFile(directory_).error().code, ErrorCode::kUsage);
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(ReadFile(Path("fifo")).error().message, Path("fifo") + ": not a regular file");
  EXPECT_EQ(ReadFile("/dev/zero").error().message, "/dev/zero: not a regular file");
  EXPECT_EQ(ReadFile(Path("none")).error().code, ErrorCode::kNotFound);
}

TEST_F(SnapshotFile, RefusesFilesOfMoreThanAGibibyte) {
  ASSERT_TRUE(WriteFile(Path("huge"), "x"));
  fs::resize_file(Path("huge"), kMaxSnapshotFileBytes + 1);
  EXPECT_EQ(ReadFile(Path("huge")).error().message,
            Path("huge") + ": larger than 1 GiB, not a snapshot");
}

TEST(DefaultFileName, SaysWhereWhatAndWhen) {
  const TimeNs wall = 1'795'356'563 * kSecond;
  EXPECT_EQ(DefaultFileName("db3", 977, wall), "ct-db3-977-20261122T140923Z.pb");
  EXPECT_EQ(DefaultFileName("db3.example.com", 0, wall), "ct-db3.example.com-20261122T140923Z.pb");
}

TEST(DefaultFileName, TakesNothingHarmfulFromTheHostsName) {
  EXPECT_EQ(DefaultFileName("../../etc/x y", 0, 0), "ct-etc-x-y-19700101T000000Z.pb");
  EXPECT_EQ(DefaultFileName("", 1, 0), "ct-host-1-19700101T000000Z.pb");
  EXPECT_EQ(DefaultFileName("...", 1, 0), "ct-host-1-19700101T000000Z.pb");
  EXPECT_EQ(DefaultFileName(std::string(500, 'h'), 1, 0),
            "ct-" + std::string(64, 'h') + "-1-19700101T000000Z.pb");
}

}  // namespace
}  // namespace ct
