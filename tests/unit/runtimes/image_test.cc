// The reader on memory that was recorded from real interpreters, as it was and mangled: it ends
// soon, reads no more than it may, and what is not mangled reads as it did. No root is needed: the
// interpreters are children of this test.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "runtimes/python.h"
#include "tests/unit/runtimes/mangled_memory.h"
#include "tests/unit/runtimes/python_recording.h"

namespace ct {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

// The system's python3, and those that the environment variable CT_PYTHONS names.
std::vector<std::string> Interpreters() {
  std::vector<std::string> all = {CT_PYTHON};
  const char* more = std::getenv("CT_PYTHONS");
  std::istringstream paths(more != nullptr ? more : "");
  for (std::string path; std::getline(paths, path, ':');) {
    if (!path.empty()) all.push_back(path);
  }
  return all;
}

// Adds up what is read.
class CountedMemory final : public Memory {
 public:
  explicit CountedMemory(Memory& memory) : memory_(memory) {}
  std::size_t Read(std::uint64_t address, std::span<std::byte> out) override {
    const std::size_t got = memory_.Read(address, out);
    bytes += got;
    return got;
  }
  std::uint64_t bytes = 0;

 private:
  Memory& memory_;
};

// PageCache::Limits.total, and what is read without the cache.
constexpr std::uint64_t kMostBytes = (2ULL << 30) + (16 << 20);

class RecordedPython : public ::testing::TestWithParam<const char*> {
 protected:
  void ForEachInterpreter(const auto& check) {
    for (const std::string& python : Interpreters()) {
      SCOPED_TRACE(python);
      auto recording = RecordPython(python, GetParam());
      ASSERT_TRUE(recording) << recording.error().message;
      check(*recording);
    }
  }
  // Reads it by each of many seeds through a memory of a kind; what was found and skipped.
  template <class Mangled>
  void Mangle(PythonRecording& recording, const std::vector<std::uint64_t>& one_in) {
    constexpr std::uint64_t kSeeds = 100;
    std::size_t found = 0;
    std::size_t skipped = 0;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
      Mangled mangled(recording.image->memory, seed, one_in[seed % one_in.size()]);
      CountedMemory counted(mangled);
      const auto start = steady_clock::now();
      const auto process = Replay(recording, counted);
      EXPECT_LT(steady_clock::now() - start, seconds(5)) << "seed " << seed;
      EXPECT_LE(counted.bytes, kMostBytes) << "seed " << seed;
      if (!process || !*process) continue;
      found += (*process)->tasks.size() + (*process)->threads.size();
      skipped += (*process)->skips.size();
    }
    EXPECT_GT(found, 50U);  // there is something left to read
    EXPECT_GT(skipped, 10U);
  }
};

TEST_P(RecordedPython, ReadsAsItDid) {
  ForEachInterpreter([](PythonRecording& recording) {
    CountedMemory counted(recording.image->memory);
    const auto process = Replay(recording, counted);
    ASSERT_TRUE(process && *process);
    EXPECT_EQ(**process, recording.process);
    EXPECT_LE(counted.bytes, 256U << 20);
  });
}

TEST_P(RecordedPython, SaysSoWhenItsTimeIsUp) {
  ForEachInterpreter([](PythonRecording& recording) {
    recording.options.time = 0;
    const auto process = Replay(recording, recording.image->memory);
    ASSERT_TRUE(process && *process);
    EXPECT_LT((*process)->threads.size(), recording.process.threads.size());
    const auto& skips = (*process)->skips;
    EXPECT_TRUE(std::any_of(skips.begin(), skips.end(), [](const PythonSkip& skip) {
      return skip.reason.find("what takes beyond the limit of ") == 0;
    }));
  });
}

TEST_P(RecordedPython, EndsSoonWithOtherWords) {
  ForEachInterpreter([this](PythonRecording& recording) {
    Mangle<MangledMemory>(recording, {20'000, 2'000, 500, 100});
  });
}

TEST_P(RecordedPython, EndsSoonWithOtherPages) {
  ForEachInterpreter([this](PythonRecording& recording) {
    Mangle<MangledPages>(recording, {1000, 200, 50, 10});
  });
}

INSTANTIATE_TEST_SUITE_P(Programs, RecordedPython, ::testing::Values("waits.py", "thread_waits.py"),
                         [](const auto& info) {
                           const std::string file = info.param;
                           return file.substr(0, file.find('.'));
                         });

}  // namespace
}  // namespace ct
