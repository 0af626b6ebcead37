#include "target/call_site.h"

#include <cstring>

namespace ct {
namespace {

// Length of "call r/m64" (FF /2) with this ModRM and SIB byte, without prefixes; 0 if it is not
// that instruction (Intel SDM volume 2, tables 2-2 and 2-3).
std::size_t IndirectCallLength(unsigned modrm, unsigned sib) {
  constexpr unsigned kCallExtension = 2;
  if ((modrm >> 3 & 7) != kCallExtension) return 0;
  const unsigned mod = modrm >> 6;
  const unsigned rm = modrm & 7;
  if (mod == 3) return 2;
  const std::size_t with_sib = rm == 4 ? 3 : 2;
  const bool disp32_only = mod == 0 && (rm == 5 || (rm == 4 && (sib & 7) == 5));
  if (mod == 2 || disp32_only) return with_sib + 4;
  return mod == 1 ? with_sib + 1 : with_sib;
}

}  // namespace

std::optional<CallSite> DecodeCallBefore(std::span<const std::byte, kMaxCallLength> text,
                                         std::uint64_t return_address) {
  constexpr std::size_t kDirectLength = 5;
  constexpr unsigned kDirectCall = 0xe8;
  constexpr unsigned kGroup5 = 0xff;
  const auto byte = [&](std::size_t index) { return std::to_integer<unsigned>(text[index]); };
  if (byte(kMaxCallLength - kDirectLength) == kDirectCall) {
    std::int32_t relative;
    std::memcpy(&relative, &text[kMaxCallLength - sizeof(relative)], sizeof(relative));
    return CallSite{return_address + static_cast<std::uint64_t>(std::int64_t{relative})};
  }
  for (std::size_t length = 2; length <= kMaxCallLength; ++length) {
    const std::size_t start = kMaxCallLength - length;
    if (byte(start) != kGroup5) continue;
    const unsigned sib = length > 2 ? byte(start + 2) : 0;
    if (IndirectCallLength(byte(start + 1), sib) == length) return CallSite{};
  }
  return std::nullopt;
}

}  // namespace ct
