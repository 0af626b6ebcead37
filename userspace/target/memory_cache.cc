#include "target/memory_cache.h"

#include <algorithm>

namespace ct {
namespace {

constexpr std::uint64_t kPage = 4096;
// Most blocked threads have their whole stack in the first two pages; a piece that continues the
// one before it doubles, so that a deep stack costs few calls.
constexpr std::size_t kFirstChunk = 2 * kPage;
constexpr std::size_t kMaxChunk = 32 * kPage;
constexpr std::size_t kMaxTotal = 8 << 20;  // of one unwind: the default size of a thread's stack

}  // namespace

const MemoryCache::Chunk* MemoryCache::Find(std::uint64_t address) {
  for (const auto& chunk : chunks_) {
    if (address >= chunk->begin && address - chunk->begin < chunk->size) return chunk.get();
  }
  return nullptr;
}

const MemoryCache::Chunk* MemoryCache::Load(std::uint64_t address) {
  const std::uint64_t page = address & ~(kPage - 1);
  const Chunk* chunk = LoadFrom(page, address);
  // Copies of what memory was begin and end within pages.
  return chunk != nullptr || page == address ? chunk : LoadFrom(address, address);
}

const MemoryCache::Chunk* MemoryCache::LoadFrom(std::uint64_t begin, std::uint64_t address) {
  auto chunk = std::make_unique<Chunk>();
  chunk->begin = begin;
  std::size_t want = kFirstChunk;
  if (const Chunk* before = chunk->begin > 0 ? Find(chunk->begin - 1) : nullptr) {
    want = std::clamp(before->size * 2, kFirstChunk, kMaxChunk);
  }
  if (total_ + want > kMaxTotal) return nullptr;
  chunk->bytes = std::make_unique_for_overwrite<std::byte[]>(want);
  chunk->size = memory_.Read(chunk->begin, std::span(chunk->bytes.get(), want));
  total_ += want;
  if (chunk->size <= address - chunk->begin) return nullptr;
  chunks_.push_back(std::move(chunk));
  return chunks_.back().get();
}

std::size_t MemoryCache::Read(std::uint64_t address, std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const std::uint64_t at = address + done;
    const Chunk* chunk = Find(at);
    if (chunk == nullptr) chunk = Load(at);
    if (chunk == nullptr) break;
    last_ = chunk;
    const std::size_t skipped = at - chunk->begin;
    const std::size_t length = std::min(out.size() - done, chunk->size - skipped);
    std::memcpy(out.data() + done, chunk->bytes.get() + skipped, length);
    done += length;
  }
  return done;
}

}  // namespace ct
