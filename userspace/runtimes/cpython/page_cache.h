// A heap of millions of small objects, read in few big pieces.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "target/memory.h"

namespace ct::cpython {

// Reads through to `memory` 16 KiB at a time and remembers them: an object is as it was when its
// piece was read. Unlike MemoryCache, for reads that are all over the heap. Lives for one look at a
// process.
class PageCache final : public Memory {
 public:
  struct Limits {
    std::uint64_t kept = 64 << 20;     // past it the piece that was read first makes room
    std::uint64_t total = 2ULL << 30;  // past it nothing more is read
    DurationNs time = kSecond;         // nor later than this
  };
  explicit PageCache(Memory& memory) : PageCache(memory, Limits()) {}
  PageCache(Memory& memory, Limits limits)
      : memory_(memory), limits_(limits), deadline_(MonotonicNow() + limits.time) {}

  std::size_t Read(std::uint64_t address, std::span<std::byte> out) override;
  // What is read from now on is as it is then. It counts for the limit again.
  void Forget();
  [[nodiscard]] std::uint64_t bytes_read() const { return total_; }
  // The limit of bytes was reached: what was not there may have been.
  [[nodiscard]] bool exhausted() const { return exhausted_; }
  // Time was up: not even what is remembered is given out any more, so that whoever reads ends.
  [[nodiscard]] bool late() const { return late_; }

 private:
  static constexpr std::uint64_t kPage = 4096;
  // The kernel copies page by page, some 0.9 us each: more at a time is hardly cheaper, and what
  // lies beside an object of a small heap is seldom asked for.
  static constexpr std::uint64_t kChunk = 16 << 10;
  static constexpr std::uint32_t kClockEvery = 64;  // reads, some 10 ns each
  static constexpr std::uint64_t kNowhere = ~0ULL;  // where no piece begins
  struct Chunk {
    std::uint64_t begin = kNowhere;
    std::bitset<kChunk / kPage> readable;
    std::array<std::byte, kChunk> bytes;
  };
  Chunk* Find(std::uint64_t begin);
  // One whose bytes may be overwritten.
  Chunk& TakeChunk();
  void Load(std::uint64_t begin, Chunk& chunk);

  Memory& memory_;
  Limits limits_;
  std::vector<std::unique_ptr<Chunk>> chunks_;  // used in this order, round and round
  std::size_t next_ = 0;                        // of those
  std::unordered_map<std::uint64_t, Chunk*> by_begin_;
  std::array<Chunk*, 4096> recent_{};  // by the low bits of the piece's number
  std::uint64_t total_ = 0;
  bool exhausted_ = false;
  TimeNs deadline_;
  std::uint32_t reads_ = 0;
  bool late_ = false;
};

}  // namespace ct::cpython
