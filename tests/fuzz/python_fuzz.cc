// The reader of CPython over the recorded memory of a real interpreter in which the input changes
// words: it ends in time, reads no more than it may, and does not fail. One interpreter is recorded
// at the start: the one that CT_FUZZ_PYTHON names, else the system's.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <unordered_map>

#include "tests/unit/runtimes/python_recording.h"

namespace ct {
namespace {

// What one change is made of: which word of those that were read, how, and with what.
struct Change {
  std::uint32_t word = 0;
  std::uint32_t how = 0;
  std::uint64_t value = 0;
};

class ChangedMemory final : public Memory {
 public:
  ChangedMemory(Memory& memory, std::span<const std::uint64_t> words, std::span<const char> input)
      : memory_(memory) {
    Change change;
    for (std::size_t at = 0; at + sizeof(change) <= input.size(); at += sizeof(change)) {
      std::memcpy(&change, input.data() + at, sizeof(change));
      const std::uint64_t address = words[change.word % words.size()];
      const std::uint64_t now = memory.ReadValue<std::uint64_t>(address).value_or(0);
      switch (change.how % 4) {
        case 0:
          changed_[address] = change.value;
          break;
        case 1:
          changed_[address] = now ^ change.value;
          break;
        case 2:  // points somewhere else
          changed_[address] = words[change.value % words.size()];
          break;
        case 3:
          changed_[address] = now + change.value;
          break;
      }
    }
  }
  std::size_t Read(std::uint64_t address, std::span<std::byte> out) override {
    const std::size_t got = memory_.Read(address, out);
    bytes_ += got;
    for (std::size_t i = (8 - address % 8) % 8; i + 8 <= got; i += 8) {
      const auto changed = changed_.find(address + i);
      if (changed != changed_.end()) std::memcpy(out.data() + i, &changed->second, 8);
    }
    return got;
  }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  Memory& memory_;
  std::unordered_map<std::uint64_t, std::uint64_t> changed_;
  std::uint64_t bytes_ = 0;
};

struct Recorded {
  PythonRecording recording;
  std::vector<std::uint64_t> words;
};

Recorded& TheRecording() {
  static Recorded* const recorded = [] {
    const char* python = std::getenv("CT_FUZZ_PYTHON");
    auto recording = RecordPython(python != nullptr ? python : CT_PYTHON, "waits.py");
    if (!recording) {
      std::fprintf(stderr, "python_fuzz: %s\n", recording.error().message.c_str());
      std::exit(1);
    }
    auto* all = new Recorded{std::move(*recording), {}};
    all->words = all->recording.image->memory.Words();
    return all;
  }();
  return *recorded;
}

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace
}  // namespace ct

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using std::chrono::steady_clock;
  ct::Recorded& recorded = ct::TheRecording();
  ct::ChangedMemory memory(recorded.recording.image->memory, recorded.words,
                           {reinterpret_cast<const char*>(data), size});
  const auto begin = steady_clock::now();
  static_cast<void>(ct::Replay(recorded.recording, memory));
  // PythonOptions::time and PageCache::Limits.total, with some room: instrumented code is slow.
  ct::Require(steady_clock::now() - begin < std::chrono::seconds(10));
  ct::Require(memory.bytes() <= (2ULL << 30) + (16 << 20));
  return 0;
}
