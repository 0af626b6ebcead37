#include "locks/guard_scan.h"

#include <algorithm>
#include <cstring>

namespace ct {
namespace {

constexpr std::uint64_t kWord = sizeof(std::uint64_t);
constexpr std::size_t kChunk = 4096;

bool Contains(std::span<const std::byte> bytes, std::uint64_t address) {
  for (std::size_t i = 0; i + kWord <= bytes.size(); i += kWord) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, kWord);
    if (word == address) return true;
  }
  return false;
}

bool InRegisters(const Registers& registers, std::uint64_t address) {
  return std::find(registers.dwarf.begin(), registers.dwarf.end(), address) !=
         registers.dwarf.end();
}

bool InStack(std::uint64_t address, const ThreadStack& thread, Memory& memory, ReferrerScan& scan) {
  const std::uint64_t sp = thread.registers.sp() & ~(kWord - 1);
  if (sp >= thread.end) {
    ++scan.unreadable;
    return false;
  }
  std::uint64_t length = thread.end - sp;
  const bool longer = length > kGuardScanBytes;
  length = std::min(length, kGuardScanBytes);
  std::array<std::byte, kChunk> chunk;
  for (std::uint64_t done = 0; done < length;) {
    const std::size_t want = std::min<std::uint64_t>(chunk.size(), length - done);
    const std::size_t got = memory.Read(sp + done, std::span(chunk).first(want));
    if (Contains(std::span(chunk).first(std::min(got, want)), address)) return true;
    if (got < want) {
      ++scan.unreadable;
      return false;
    }
    done += want;
  }
  if (longer) ++scan.truncated;
  return false;
}

}  // namespace

ReferrerScan FindReferrers(std::uint64_t address, std::span<const ThreadStack> threads,
                           Memory& memory) {
  ReferrerScan scan;
  const std::size_t count = std::min(threads.size(), kGuardScanThreads);
  scan.not_scanned = static_cast<std::uint32_t>(threads.size() - count);
  for (const ThreadStack& thread : threads.first(count)) {
    if (InRegisters(thread.registers, address) || InStack(address, thread, memory, scan)) {
      scan.referrers.push_back(thread.ns_tid);
    }
  }
  return scan;
}

}  // namespace ct
