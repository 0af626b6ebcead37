// Machine code as text.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace ct {

// "48 89 e5" and "4889e5" alike; whatever is no hex digit separates nothing.
inline std::vector<std::byte> Code(std::string_view hex) {
  std::vector<std::byte> bytes;
  int high = -1;
  for (const char c : hex) {
    int digit = -1;
    if (c >= '0' && c <= '9') digit = c - '0';
    if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
    if (digit < 0) continue;
    if (high < 0) {
      high = digit;
    } else {
      bytes.push_back(static_cast<std::byte>(high * 16 + digit));
      high = -1;
    }
  }
  return bytes;
}

}  // namespace ct
