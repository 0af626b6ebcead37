#include "runtimes/cpython/tables.h"

#include <algorithm>
#include <vector>

namespace ct::cpython {
namespace {

constexpr std::uint64_t kCodeUnit = 2;  // sizeof(_Py_CODEUNIT)
constexpr int kMaxVarintBytes = 6;
constexpr std::size_t kMaxHandlers = 1 << 10;  // of one function that are looked at

// Objects/locations.md: an entry begins with 1ccccnnn, c its kind and n its length - 1.
constexpr std::uint8_t kShortKinds = 10;    // 0 to 9: same line
constexpr std::uint8_t kOneLineKinds = 13;  // 10 to 12: line + 0 to 2
constexpr std::uint8_t kNoColumns = 13;
constexpr std::uint8_t kLong = 14;
constexpr std::uint8_t kNoLocation = 15;

class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] bool AtEnd() const { return at_ >= bytes_.size(); }
  std::uint8_t Next() { return AtEnd() ? 0 : static_cast<std::uint8_t>(bytes_[at_++]); }
  // Six bits a byte, the lowest first; bit 6 says that more follow.
  std::uint64_t LowFirst() {
    std::uint64_t value = 0;
    for (int i = 0; i < kMaxVarintBytes; ++i) {
      const std::uint8_t byte = Next();
      value |= static_cast<std::uint64_t>(byte & 63) << (6 * i);
      if ((byte & 64) == 0) break;
    }
    return value;
  }
  std::int64_t SignedLowFirst() {
    const std::uint64_t value = LowFirst();
    const auto magnitude = static_cast<std::int64_t>(value >> 1);
    return (value & 1) != 0 ? -magnitude : magnitude;
  }
  // The same with the highest first.
  std::uint64_t HighFirst() {
    std::uint64_t value = 0;
    for (int i = 0; i < kMaxVarintBytes; ++i) {
      const std::uint8_t byte = Next();
      value = value << 6 | (byte & 63);
      if ((byte & 64) == 0) break;
    }
    return value;
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

// An entry of co_exceptiontable.
struct Guarded {
  std::uint64_t start = 0, size = 0;
  std::uint64_t handler = 0;
  std::uint32_t depth = 0;
  bool pushes_offset = false;  // lasti: below the exception, where it was raised
};

Guarded NextGuarded(Bytes& bytes) {
  Guarded guarded;
  guarded.start = bytes.HighFirst() * kCodeUnit;
  guarded.size = bytes.HighFirst() * kCodeUnit;
  guarded.handler = bytes.HighFirst() * kCodeUnit;
  const std::uint64_t depth_and_lasti = bytes.HighFirst();
  guarded.depth = static_cast<std::uint32_t>(depth_and_lasti >> 1);
  guarded.pushes_offset = (depth_and_lasti & 1) != 0;
  return guarded;
}

}  // namespace

std::uint32_t LineAt(std::string_view table, std::uint32_t first_line, std::uint64_t offset) {
  Bytes bytes(table);
  std::int64_t line = first_line;
  std::uint64_t end = 0;
  while (!bytes.AtEnd()) {
    const std::uint8_t head = bytes.Next();
    if ((head & 0x80) == 0) continue;  // the rest of an entry whose kind we need not decode
    const std::uint8_t kind = head >> 3 & 15;
    end += (static_cast<std::uint64_t>(head & 7) + 1) * kCodeUnit;
    if (kind == kLong || kind == kNoColumns) {
      line += bytes.SignedLowFirst();
    } else if (kind >= kShortKinds && kind < kOneLineKinds) {
      line += kind - kShortKinds;
    }
    if (offset >= end) continue;
    const bool fits = line > 0 && line <= INT32_MAX;
    return kind != kNoLocation && fits ? static_cast<std::uint32_t>(line) : 0;
  }
  return 0;
}

std::optional<std::uint32_t> HandlerDepthAt(std::string_view table, std::uint64_t offset) {
  Bytes bytes(table);
  while (!bytes.AtEnd()) {
    const Guarded guarded = NextGuarded(bytes);
    if (guarded.start > offset) return std::nullopt;  // sorted by start
    if (offset - guarded.start < guarded.size) return guarded.depth;
  }
  return std::nullopt;
}

// A handler is guarded itself, with the exception that was handled before on the stack
// (PUSH_EXC_INFO): by one that stands behind it and puts that back.
bool IsInHandler(std::string_view table, std::uint64_t offset) {
  std::vector<Guarded> all;
  Bytes bytes(table);
  while (!bytes.AtEnd() && all.size() < kMaxHandlers) all.push_back(NextGuarded(bytes));
  for (const Guarded& guarded : all) {
    const std::uint64_t begin = guarded.handler;
    if (begin > offset) continue;
    const std::uint32_t depth = guarded.depth + (guarded.pushes_offset ? 1 : 0) + 1;
    const bool inside = std::any_of(all.begin(), all.end(), [&](const Guarded& guard) {
      return guard.start <= begin && begin - guard.start < guard.size && guard.depth == depth &&
             guard.handler > offset;
    });
    if (inside) return true;
  }
  return false;
}

}  // namespace ct::cpython
