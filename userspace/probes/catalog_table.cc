#include "probes/catalog_table.h"

#include <algorithm>

#include "base/text.h"

namespace ct {
namespace {

// Longer than any demangled name that a compiler's own messages still show.
constexpr std::size_t kMaxText = 1024;
constexpr std::size_t kMaxTexts = 32;

// "a text", "a number", ...
std::string_view TypeName(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "a number";
    case toml::node_type::floating_point:
      return "a fraction";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date";
  }
}

}  // namespace

void Mistakes::Note(const toml::source_region& where, std::string what) {
  const std::uint32_t line = std::max<std::uint32_t>(where.begin.line, 1);
  if (line_ != 0 && line_ <= line) return;
  line_ = line;
  what_ = std::move(what);
}

CatalogTable::CatalogTable(const toml::table& table, std::string_view name,
                           std::initializer_list<std::string_view> known, Mistakes& mistakes)
    : table_(table), name_(name), mistakes_(mistakes) {
  for (const auto& [key, value] : table) {
    if (std::find(known.begin(), known.end(), key.str()) != known.end()) continue;
    mistakes.Note(key.source(), fmt::format("{} has no key \"{}\" (known: {})", name,
                                            CleanText(key.str(), 64), fmt::join(known, ", ")));
  }
}

const toml::node* CatalogTable::Get(std::string_view key, bool required) {
  const toml::node* node = table_.get(key);
  if (node == nullptr && required) Note(key, fmt::format("{} lacks its {}", name_, key));
  return node;
}

bool CatalogTable::IsText(std::string_view key, const std::string& text) {
  if (text.empty()) {
    Note(key, fmt::format("{} is empty", key));
  } else if (text.size() > kMaxText) {
    Note(key, fmt::format("{} is longer than {} bytes", key, kMaxText));
  } else if (CleanText(text) != text) {
    Note(key, fmt::format("{} has control characters", key));
  } else {
    return true;
  }
  return false;
}

std::optional<std::string> CatalogTable::Text(std::string_view key, bool required) {
  const toml::node* node = Get(key, required);
  if (node == nullptr) return std::nullopt;
  const auto* text = node->as_string();
  if (text == nullptr) {
    Note(key, fmt::format("{} is {}, not a text", key, TypeName(*node)));
    return std::nullopt;
  }
  if (!IsText(key, text->get())) return std::nullopt;
  return text->get();
}

std::optional<std::vector<std::string>> CatalogTable::Texts(std::string_view key) {
  const toml::node* node = Get(key, true);
  if (node == nullptr) return std::nullopt;
  const toml::array* list = node->as_array();
  if (list == nullptr || list->empty() || list->size() > kMaxTexts) {
    Note(key, list == nullptr
                  ? fmt::format("{} is {}, not a list", key, TypeName(*node))
                  : fmt::format("{} has {} entries, not 1 to {}", key, list->size(), kMaxTexts));
    return std::nullopt;
  }
  std::vector<std::string> texts;
  for (const toml::node& entry : *list) {
    const auto* text = entry.as_string();
    if (text == nullptr) {
      mistakes_.Note(entry.source(),
                     fmt::format("an entry of {} is {}, not a text", key, TypeName(entry)));
      return std::nullopt;
    }
    if (!IsText(key, text->get())) return std::nullopt;
    texts.push_back(text->get());
  }
  return texts;
}

std::optional<std::int64_t> CatalogTable::Number(std::string_view key, std::int64_t from,
                                                 std::int64_t to) {
  const toml::node* node = Get(key, false);
  if (node == nullptr) return std::nullopt;
  const auto* number = node->as_integer();
  if (number == nullptr) {
    Note(key, fmt::format("{} is {}, not a number", key, TypeName(*node)));
    return std::nullopt;
  }
  if (number->get() < from || number->get() > to) {
    Note(key, fmt::format("{} is {}, not {} to {}", key, number->get(), from, to));
    return std::nullopt;
  }
  return number->get();
}

std::optional<bool> CatalogTable::Truth(std::string_view key) {
  const toml::node* node = Get(key, false);
  if (node == nullptr) return std::nullopt;
  const auto* truth = node->as_boolean();
  if (truth == nullptr) {
    Note(key, fmt::format("{} is {}, not true or false", key, TypeName(*node)));
    return std::nullopt;
  }
  return truth->get();
}

void CatalogTable::Refuse(std::string_view key, std::string_view why) {
  if (Has(key)) Note(key, fmt::format("{} {}", key, why));
}

void CatalogTable::Note(std::string_view key, std::string what) {
  const toml::node* node = table_.get(key);
  mistakes_.Note(node != nullptr ? node->source() : table_.source(), std::move(what));
}

}  // namespace ct
