#include "base/text.h"

namespace ct {
namespace {

// Length of the valid UTF-8 sequence at the start of `text` (RFC 3629: no surrogates, no overlong
// forms, up to U+10FFFF); 0 if there is none.
std::size_t SequenceLength(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!continues(1) || !continues(2)) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;
    if (first == 0xED && byte(1) > 0x9F) return 0;
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

// Those that make a line read otherwise than it is written: direction marks and overrides
// (U+200E..F, U+202A..E, U+2066..9) and the line and paragraph separators (U+2028..9).
bool IsMisleading(std::string_view sequence) {
  if (sequence.size() != 3 || sequence[0] != '\xE2') return false;
  const auto second = static_cast<unsigned char>(sequence[1]);
  const auto third = static_cast<unsigned char>(sequence[2]);
  if (second == 0x81) return third >= 0xA6 && third <= 0xA9;
  return second == 0x80 && (third == 0x8E || third == 0x8F || (third >= 0xA8 && third <= 0xAE));
}

// C0, DEL, and C1 (U+0080..U+009F), which some terminals obey too.
bool IsControl(std::string_view sequence) {
  if (IsMisleading(sequence)) return true;
  const auto first = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return first < 0x20 || first == 0x7F;
  return sequence.size() == 2 && first == 0xC2 && static_cast<unsigned char>(sequence[1]) < 0xA0;
}

}  // namespace

std::string CleanText(std::string_view text, std::size_t limit) {
  std::string clean;
  while (!text.empty()) {
    const std::size_t length = SequenceLength(text);
    const std::size_t used = length == 0 ? 1 : length;
    if (clean.size() + used > limit) return clean + "...";
    if (length == 0 || IsControl(text.substr(0, length))) {
      clean += '?';
    } else {
      clean += text.substr(0, length);
    }
    text.remove_prefix(used);
  }
  return clean;
}

}  // namespace ct
