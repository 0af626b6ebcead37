#include "render/table.h"

#include <algorithm>

namespace ct {
namespace {

constexpr std::size_t kWidest = 48;

}  // namespace

std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;  // no continuation byte
  }));
}

std::string Table::Print() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::size_t width = Width(row[i]);
      if (width <= kWidest) widths[i] = std::max(widths[i], width);
    }
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line(indent_, ' ');
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::size_t width = Width(row[i]);
      line += row[i];
      line.append(std::max(widths[i], width) - width, ' ');
      if (widths[i] > 0 || width > 0) line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

}  // namespace ct
