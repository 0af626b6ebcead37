// A table of a TOML file, read key by key: whatever is wrong with it is noted with its line.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <toml++/toml.h>
#include <vector>

#include <fmt/format.h>

#include "probes/catalog_words.h"

namespace ct {

// Keeps the one that is first in the file.
class Mistakes {
 public:
  void Note(const toml::source_region& where, std::string what);
  [[nodiscard]] bool empty() const { return line_ == 0; }
  [[nodiscard]] std::uint32_t line() const { return line_; }
  [[nodiscard]] const std::string& what() const { return what_; }

 private:
  std::uint32_t line_ = 0;  // from 1 on
  std::string what_;
};

class CatalogTable {
 public:
  // `name`: what it is, for messages: "a family". Every key that is not in `known` is a mistake.
  CatalogTable(const toml::table& table, std::string_view name,
               std::initializer_list<std::string_view> known, Mistakes& mistakes);

  [[nodiscard]] bool Has(std::string_view key) const { return table_.contains(key); }
  [[nodiscard]] std::uint32_t line() const { return table_.source().begin.line; }
  // Unset: it is absent, which is a mistake if it is `required`, or it is one.
  std::optional<std::string> Text(std::string_view key, bool required);
  std::optional<std::vector<std::string>> Texts(std::string_view key);
  std::optional<std::int64_t> Number(std::string_view key, std::int64_t from, std::int64_t to);
  std::optional<bool> Truth(std::string_view key);
  template <class T>
  std::optional<T> Word(std::string_view key, bool required) {
    const auto text = Text(key, required);
    if (!text) return std::nullopt;
    const auto means = FromWord<T>(*text);
    if (!means) {
      Note(key, fmt::format("{} is \"{}\" (known: {})", key, *text, AllWords<T>()));
    }
    return means;
  }
  // Set, though it says nothing here.
  void Refuse(std::string_view key, std::string_view why);
  // At the line of `key`, or of the table, if it has none.
  void Note(std::string_view key, std::string what);

 private:
  const toml::node* Get(std::string_view key, bool required);
  // Of a name that goes into messages and is compared with names in files.
  bool IsText(std::string_view key, const std::string& text);

  const toml::table& table_;
  std::string_view name_;
  Mistakes& mistakes_;
};

}  // namespace ct
