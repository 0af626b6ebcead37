// x86-64 call instructions, seen from the return address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace ct {

inline constexpr std::size_t kMaxCallLength = 7;  // without prefixes

struct CallSite {
  std::uint64_t direct_target = 0;  // 0: an indirect call
};

// `text` is the kMaxCallLength bytes before `return_address`; nullopt if no call ends there.
std::optional<CallSite> DecodeCallBefore(std::span<const std::byte, kMaxCallLength> text,
                                         std::uint64_t return_address);

}  // namespace ct
