#include "runtimes/cpython/page_cache.h"

#include <algorithm>

namespace ct::cpython {

std::unique_ptr<PageCache::Chunk> PageCache::Load(std::uint64_t begin) {
  late_ = late_ || MonotonicNow() > deadline_;  // each may take long
  std::unique_ptr<Chunk> chunk(new Chunk);      // not make_unique: that would zero all of its bytes
  chunk->begin = begin;
  const std::span<std::byte> bytes(chunk->bytes);
  std::uint64_t at = 0;
  while (at < kChunk) {
    const std::uint64_t got = memory_.Read(begin + at, bytes.subspan(at)) / kPage * kPage;
    for (std::uint64_t page = at / kPage; page < (at + got) / kPage; ++page) {
      chunk->readable.set(page);
    }
    at += got + (at + got < kChunk ? kPage : 0);  // over the page that could not be read
  }
  total_ += kChunk;
  return chunk;
}

void PageCache::Forget() {
  chunks_.clear();
  recent_.fill(nullptr);
}

PageCache::Chunk* PageCache::Find(std::uint64_t begin) {
  Chunk*& recent = recent_[begin / kChunk % recent_.size()];
  if (recent != nullptr && recent->begin == begin) return recent;
  auto found = chunks_.find(begin);
  if (found == chunks_.end()) {
    if (total_ >= limits_.total) {
      exhausted_ = true;
      return nullptr;
    }
    if ((chunks_.size() + 1) * kChunk > limits_.kept) {
      Forget();
    }
    found = chunks_.emplace(begin, Load(begin)).first;
  }
  recent = found->second.get();
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
