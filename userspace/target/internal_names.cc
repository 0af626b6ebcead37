#include "target/internal_names.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

#include "target/eh_frame.h"

namespace ct {
namespace {

// libc.so.6 has 1.5 MB of code. In a large library without symbols the guess is worth less.
constexpr std::uint64_t kMaxText = 16 << 20;
// pthread_join's slow path has three callers; a function with more serves everybody.
constexpr std::uint32_t kMaxCallers = 4;

bool IsCode(const ElfSection& section) {
  return (section.flags & SHF_EXECINSTR) != 0 && section.name.starts_with(".text");
}

}  // namespace

InternalNames InternalNames::Load(ByteSource& source, const ElfFile& file,
                                  const SymbolTable& exported) {
  InternalNames names;
  names.starts_ = FunctionStarts(source, file);
  if (names.starts_.empty()) return names;
  for (const ElfSection& section : file.sections) {
    if (!IsCode(section)) continue;
    const auto text = ReadSection(source, section, kMaxText);
    if (!text) continue;
    for (const Symbol& function : exported.functions()) {
      const std::uint64_t offset = function.address - section.address;
      if (function.binding == STB_LOCAL) continue;
      if (function.address < section.address || offset >= text->size()) continue;
      const std::uint64_t length = std::min(function.size, text->size() - offset);
      names.AddCallsOf(function, std::span(*text).subspan(offset, length), function.address);
    }
  }
  return names;
}

void InternalNames::AddCallsOf(const Symbol& function, std::span<const std::byte> text,
                               std::uint64_t address) {
  constexpr std::size_t kLength =
      5;  // call rel32, jmp rel32; jcc rel32 ends in the same four bytes
  constexpr std::byte kCall{0xe8};
  constexpr std::byte kJump{0xe9};
  constexpr std::byte kTwoByte{0x0f};
  constexpr std::byte kConditionMask{0xf0};
  constexpr std::byte kCondition{0x80};
  for (std::size_t i = 0; i + kLength <= text.size(); ++i) {
    const bool conditional =
        i > 0 && text[i - 1] == kTwoByte && (text[i] & kConditionMask) == kCondition;
    if (text[i] != kCall && text[i] != kJump && !conditional) continue;
    std::int32_t relative;
    std::memcpy(&relative, &text[i + 1], sizeof(relative));
    const std::uint64_t callee =
        address + i + kLength + static_cast<std::uint64_t>(std::int64_t{relative});
    // A match in the middle of an instruction would have to hit a function's first byte.
    if (!std::binary_search(starts_.begin(), starts_.end(), callee)) continue;
    Callers& callers = callers_[callee];
    if (callers.count > 0 && callers.last_caller == function.address) continue;
    callers.last_caller = function.address;
    ++callers.count;
    if (callers.count == 1 || IsBetterName(function, callers.best)) callers.best = function;
  }
}

std::uint64_t InternalNames::FunctionStart(std::uint64_t vaddr) const {
  const auto after = std::upper_bound(starts_.begin(), starts_.end(), vaddr);
  return after == starts_.begin() ? 0 : *std::prev(after);
}

const char* InternalNames::NameFor(std::uint64_t vaddr) const {
  const auto found = callers_.find(FunctionStart(vaddr));
  if (found == callers_.end() || found->second.count > kMaxCallers) return nullptr;
  return found->second.best.name;
}

std::size_t InternalNames::bytes() const {
  constexpr std::size_t kNode = 24;
  return starts_.capacity() * sizeof(std::uint64_t) + callers_.size() * (sizeof(Callers) + kNode);
}

}  // namespace ct
