// Rows of text in aligned columns.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ct {

// Columns that a text takes on a terminal, taking every code point for one.
std::size_t Width(std::string_view text);

class Table {
 public:
  explicit Table(std::size_t indent) : indent_(indent) {}

  void Add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  // Columns stand two spaces apart; trailing empty cells leave nothing behind. A cell that is wider
  // than 48 columns pushes only its own row.
  [[nodiscard]] std::string Print() const;

 private:
  std::size_t indent_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace ct
