// --pool: a family on the command line.
#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "probes/catalog.h"
#include "probes/catalog_words.h"

namespace ct {
namespace {

constexpr std::size_t kMaxTextBytes = 8192;
constexpr std::string_view kForm = "FILE:ACQUIRE[,ACQUIRE...],RELEASE[;OPTION...]";

tl::unexpected<Error> Refuse(std::string_view text, std::string_view what) {
  return Fail(ErrorCode::kUsage, fmt::format("--pool '{}': {}", CleanText(text, 200), what));
}

std::string_view Trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Bytes of the operator's symbol behind "operator" at `at`, whose brackets and commas are not those
// of a list; 0: there is none ("operator bool", "my_operator").
std::size_t OperatorAt(std::string_view text, std::size_t at) {
  static constexpr std::string_view kWord = "operator";
  static constexpr std::array<std::string_view, 16> kSymbols = {
      "<=>", "<<=", ">>=", "->*", "()", "[]", "->", "<<",
      ">>",  "<=",  ">=",  "<",   ">",  ",",  "(",  "["};
  if (text.substr(at, kWord.size()) != kWord) return 0;
  if (at > 0 && IsNameCharacter(text[at - 1])) return 0;
  const std::string_view rest = text.substr(at + kWord.size());
  for (const std::string_view symbol : kSymbols) {
    if (rest.starts_with(symbol)) return kWord.size() + symbol.size();
  }
  return 0;
}

// At the commas that are not within brackets. Unset: brackets do not match.
std::optional<std::vector<std::string>> SplitNames(std::string_view text) {
  std::vector<std::string> names(1);
  std::string open;
  for (std::size_t i = 0; i < text.size();) {
    if (const std::size_t symbol = OperatorAt(text, i); symbol != 0) {
      names.back() += text.substr(i, symbol);
      i += symbol;
      continue;
    }
    static constexpr std::string_view kOpening = "(<[{";
    static constexpr std::string_view kClosing = ")>]}";
    const char c = text[i++];
    if (c == ',' && open.empty()) {
      names.emplace_back();
      continue;
    }
    if (kOpening.find(c) != std::string_view::npos) open.push_back(c);
    if (const std::size_t kind = kClosing.find(c); kind != std::string_view::npos) {
      if (open.empty() || open.back() != kOpening[kind]) return std::nullopt;
      open.pop_back();
    }
    names.back().push_back(c);
  }
  if (!open.empty()) return std::nullopt;
  for (std::string& name : names) name = Trim(name);
  return names;
}

// "ConnectionPool" of "app::ConnectionPool::acquire(int)"; empty: it has no class.
std::string ClassOf(std::string_view name) {
  std::vector<std::string_view> scopes;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t i = 0; i < name.size() && !(depth == 0 && name[i] == '('); ++i) {
    if (OperatorAt(name, i) != 0) break;
    if (name[i] == '<' || name[i] == '(') ++depth;
    if (name[i] == '>' || name[i] == ')') --depth;
    if (depth == 0 && name.substr(i, 2) == "::") {
      scopes.push_back(name.substr(begin, i - begin));
      begin = i + 2;
      ++i;
    }
  }
  return scopes.empty() ? "" : std::string(scopes.back());
}

struct Options {
  std::optional<std::uint32_t> capacity;
  std::optional<std::uint32_t> key;
  std::optional<std::uint32_t> unit;
  bool no_unit = false;
  std::optional<Success> success;
};

std::optional<std::uint32_t> Number(std::string_view text, std::uint32_t from, std::uint32_t to) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (value < from || value > to) return std::nullopt;
  return value;
}

// What is wrong with it; empty: nothing.
std::string ReadOption(std::string_view option, Options& options) {
  constexpr std::uint32_t kLastArgument = 5;
  const std::size_t equals = option.find('=');
  const std::string_view name = Trim(option.substr(0, equals));
  const std::string_view value =
      equals == std::string_view::npos ? "" : Trim(option.substr(equals + 1));
  const auto read = [&](std::optional<std::uint32_t>& into, std::uint32_t from, std::uint32_t to) {
    if (into) return fmt::format("{} is said twice", name);
    into = Number(value, from, to);
    return into ? "" : fmt::format("{} is \"{}\", not {} to {}", name, value, from, to);
  };
  if (name == "capacity") return read(options.capacity, 1, UINT32_MAX);
  if (name == "key") return read(options.key, 0, kLastArgument);
  if (name == "unit") {
    if (options.no_unit) return "unit is said twice";
    if (value == "none" && !options.unit) {
      options.no_unit = true;
      return "";
    }
    return read(options.unit, 0, kLastArgument);
  }
  if (name == "succeeds") {
    if (options.success) return "succeeds is said twice";
    options.success = FromWord<Success>(value);
    if (options.success && options.success->rule == SuccessRule::kReturnValue) return "";
    return fmt::format("succeeds is \"{}\" (known: returns, zero, nonzero, one, true)", value);
  }
  return fmt::format("no option \"{}\" (known: capacity, key, unit, succeeds)", name);
}

}  // namespace

Result<CatalogFamily> ParsePool(std::string_view text) {
  if (text.size() > kMaxTextBytes) return Refuse(text, "too long");
  if (CleanText(text, kMaxTextBytes) != text) return Refuse(text, "has control characters");
  const std::size_t colon = text.find(':');
  const std::string_view file = Trim(text.substr(0, colon));
  if (colon == std::string_view::npos || text.substr(colon, 2) == "::" || file.empty()) {
    return Refuse(text, fmt::format("does not begin with a file and a colon: {}", kForm));
  }
  if (file.find('/') != std::string_view::npos) {
    return Refuse(text, "its file is a path: the name alone, wherever it lies");
  }
  const std::string_view rest = text.substr(colon + 1);
  const std::size_t semicolon = rest.find(';');
  const auto names = SplitNames(rest.substr(0, semicolon));
  if (!names) return Refuse(text, "its brackets do not match");
  const auto is_empty = [](const std::string& name) { return name.empty(); };
  if (names->size() < 2 || std::any_of(names->begin(), names->end(), is_empty)) {
    return Refuse(text, fmt::format("needs an acquire and a release: {}", kForm));
  }
  for (std::size_t i = 0; i < names->size(); ++i) {
    if (std::find(names->begin(), names->begin() + i, (*names)[i]) != names->begin() + i) {
      return Refuse(text, fmt::format("names {} twice", (*names)[i]));
    }
  }
  Options options;
  for (std::size_t at = semicolon; at < rest.size();) {
    const std::size_t next = std::min(rest.find(';', at + 1), rest.size());
    const std::string wrong = ReadOption(rest.substr(at + 1, next - at - 1), options);
    if (!wrong.empty()) return Refuse(text, wrong);
    at = next;
  }

  CatalogFamily family;
  family.name = "pool " + names->front();
  family.files = {std::string(file)};
  family.kind = ResourceKind::kPool;
  family.type = ClassOf(names->back());
  family.has_units = !options.no_unit;
  family.capacity = options.capacity.value_or(0);
  family.source = "--pool";
  const Success success = options.success.value_or(Success{SuccessRule::kReturnValue, {}});
  for (const std::string& name : *names) {
    CatalogFunction function;
    function.name = name;
    function.key_argument = options.key.value_or(0);
    if (&name == &names->back()) {
      function.role = HoldRole::kRelease;
      function.unit_argument = options.unit.value_or(1);
    } else {
      function.success = success.rule;
      function.succeeds = success.value;
    }
    family.functions.push_back(std::move(function));
  }
  return family;
}

}  // namespace ct
