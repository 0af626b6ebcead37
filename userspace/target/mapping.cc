#include "target/mapping.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <sys/sysmacros.h>

namespace ct {
namespace {

constexpr std::string_view kDeletedSuffix = " (deleted)";

// A cursor over one line; every Take leaves the cursor alone when it fails.
class Line {
 public:
  explicit Line(std::string_view text) : rest_(text) {}

  std::optional<std::uint64_t> TakeNumber(int base) {
    std::uint64_t value = 0;
    const auto [end, error] =
        std::from_chars(rest_.data(), rest_.data() + rest_.size(), value, base);
    if (error != std::errc()) return std::nullopt;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }
  bool Take(char expected) {
    if (rest_.empty() || rest_.front() != expected) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::optional<std::string_view> TakeChars(std::size_t count) {
    if (rest_.size() < count) return std::nullopt;
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  std::string_view TakeRestAfterSpaces() {
    const std::size_t start = rest_.find_first_not_of(' ');
    return start == std::string_view::npos ? std::string_view() : rest_.substr(start);
  }

 private:
  std::string_view rest_;
};

std::optional<Mapping> ParseLine(std::string_view text) {
  Line line(text);
  Mapping mapping;
  const auto begin = line.TakeNumber(16);
  if (!begin || !line.Take('-')) return std::nullopt;
  const auto end = line.TakeNumber(16);
  if (!end || !line.Take(' ')) return std::nullopt;
  const auto permissions = line.TakeChars(4);
  if (!permissions || !line.Take(' ')) return std::nullopt;
  const auto offset = line.TakeNumber(16);
  if (!offset || !line.Take(' ')) return std::nullopt;
  const auto major_number = line.TakeNumber(16);
  if (!major_number || !line.Take(':')) return std::nullopt;
  const auto minor_number = line.TakeNumber(16);
  if (!minor_number || !line.Take(' ')) return std::nullopt;
  const auto inode = line.TakeNumber(10);
  if (!inode || *begin >= *end) return std::nullopt;

  mapping.begin = *begin;
  mapping.end = *end;
  mapping.file_offset = *offset;
  mapping.device =
      makedev(static_cast<unsigned>(*major_number), static_cast<unsigned>(*minor_number));
  mapping.inode = *inode;
  mapping.readable = (*permissions)[0] == 'r';
  mapping.writable = (*permissions)[1] == 'w';
  mapping.executable = (*permissions)[2] == 'x';
  mapping.shared = (*permissions)[3] == 's';
  std::string_view path = line.TakeRestAfterSpaces();
  if (mapping.inode != 0 && path.ends_with(kDeletedSuffix)) {
    mapping.deleted = true;
    path.remove_suffix(kDeletedSuffix.size());
  }
  mapping.path = path;
  return mapping;
}

}  // namespace

std::vector<Mapping> ParseMaps(std::string_view text, std::size_t limit) {
  std::vector<Mapping> mappings;
  while (!text.empty() && mappings.size() < limit) {
    const std::size_t newline = text.find('\n');
    const std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    std::optional<Mapping> mapping = ParseLine(line);
    if (!mapping) continue;
    if (!mappings.empty() && mapping->begin < mappings.back().end) continue;
    mappings.push_back(std::move(*mapping));
  }
  return mappings;
}

const Mapping* FindMapping(const std::vector<Mapping>& mappings, std::uint64_t address) {
  const auto after = std::upper_bound(
      mappings.begin(), mappings.end(), address,
      [](std::uint64_t value, const Mapping& mapping) { return value < mapping.begin; });
  if (after == mappings.begin()) return nullptr;
  const Mapping& mapping = *std::prev(after);
  return mapping.Contains(address) ? &mapping : nullptr;
}

}  // namespace ct
