#include "runtimes/cpython/page_cache.h"

#include <algorithm>

namespace ct::cpython {

PageCache::Chunk& PageCache::TakeChunk() {
  if (next_ == chunks_.size() && (chunks_.size() + 1) * kChunk <= limits_.kept) {
    // Not make_unique: that would zero all of its bytes.
    chunks_.emplace_back(new Chunk);
  }
  if (next_ == chunks_.size()) next_ = 0;
  Chunk& chunk = *chunks_[next_++];
  by_begin_.erase(chunk.begin);
  return chunk;
}

void PageCache::Load(std::uint64_t begin, Chunk& chunk) {
  late_ = late_ || MonotonicNow() > deadline_;  // each may take long
  chunk.begin = begin;
  chunk.readable.reset();
  const std::span<std::byte> bytes(chunk.bytes);
  std::uint64_t at = 0;
  while (at < kChunk) {
    const std::uint64_t got = memory_.Read(begin + at, bytes.subspan(at)) / kPage * kPage;
    for (std::uint64_t page = at / kPage; page < (at + got) / kPage; ++page) {
      chunk.readable.set(page);
    }
    at += got + (at + got < kChunk ? kPage : 0);  // over the page that could not be read
  }
  total_ += kChunk;
}

void PageCache::Forget() {
  for (const auto& chunk : chunks_) chunk->begin = kNowhere;
  by_begin_.clear();
}

PageCache::Chunk* PageCache::Find(std::uint64_t begin) {
  Chunk*& recent = recent_[begin / kChunk % recent_.size()];
  if (recent != nullptr && recent->begin == begin) return recent;
  const auto found = by_begin_.find(begin);
  if (found != by_begin_.end()) {
    recent = found->second;
    return recent;
  }
  if (total_ >= limits_.total) {
    exhausted_ = true;
    return nullptr;
  }
  Chunk& chunk = TakeChunk();
  Load(begin, chunk);
  by_begin_.emplace(begin, &chunk);
  recent = &chunk;
  return recent;
}

std::size_t PageCache::Read(std::uint64_t address, std::span<std::byte> out) {
  if (++reads_ % kClockEvery == 0) late_ = late_ || MonotonicNow() > deadline_;
  if (late_) return 0;
  std::size_t done = 0;
  while (done < out.size()) {
    const std::uint64_t at = address + done;
    if (at < address) break;  // around the end of the address space
    const Chunk* chunk = Find(at & ~(kChunk - 1));
    const std::uint64_t offset = at & (kChunk - 1);
    if (chunk == nullptr || !chunk->readable.test(offset / kPage)) break;
    const std::uint64_t to_page_end = kPage - offset % kPage;
    const std::size_t length = std::min<std::size_t>(out.size() - done, to_page_end);
    std::memcpy(out.data() + done, chunk->bytes.data() + offset, length);
    done += length;
  }
  return done;
}

}  // namespace ct::cpython
