#include "target/function_pattern.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace ct {
namespace {

constexpr std::string_view kOperator = "operator";
constexpr std::string_view kAnonymous = "(anonymous namespace)::";

bool IsWordCharacter(char character) {
  return std::isalnum(static_cast<unsigned char>(character)) != 0 || character == '_';
}

// Where the word "operator" begins, whose brackets are no brackets; npos if nowhere.
std::size_t FindOperator(std::string_view text) {
  for (std::size_t at = text.find(kOperator); at != std::string_view::npos;
       at = text.find(kOperator, at + 1)) {
    const std::size_t end = at + kOperator.size();
    const bool begins = at == 0 || !IsWordCharacter(text[at - 1]);
    if (begins && (end == text.size() || !IsWordCharacter(text[end]))) return at;
  }
  return std::string_view::npos;
}

void EraseAll(std::string& text, std::string_view part) {
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at)) {
    text.erase(at, part.size());
  }
}

void ReplaceAll(std::string& text, std::string_view part, std::string_view by) {
  for (std::size_t at = text.find(part); at != std::string::npos;
       at = text.find(part, at + by.size())) {
    text.replace(at, part.size(), by);
  }
}

void EraseAbiTags(std::string& text) {
  constexpr std::string_view kTag = "[abi:";
  for (std::size_t at = text.find(kTag); at != std::string::npos; at = text.find(kTag, at)) {
    const std::size_t end = text.find(']', at);
    text.erase(at, end == std::string::npos ? end : end + 1 - at);
  }
}

// Template arguments that nobody writes, and the demangler always does.
void EraseDefaults(std::string& text) {
  for (const std::string_view word : {",std::allocator<", ",std::char_traits<", ",std::less<",
                                      ",std::hash<", ",std::equal_to<", ",std::default_delete<"}) {
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at)) {
      std::size_t end = at + word.size();
      for (int depth = 1; end < text.size() && depth > 0; ++end) {
        if (text[end] == '<') ++depth;
        if (text[end] == '>') --depth;
      }
      text.erase(at, end - at);
    }
  }
}

// One spelling of what can be written in several ways.
std::string Normal(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != ' ') {
      out += text[i];
      continue;
    }
    const std::size_t next = text.find_first_not_of(' ', i);
    if (next == std::string_view::npos) break;
    // Elsewhere a space means nothing: it parts two words, or template arguments from a word.
    const bool ends = !out.empty() && (IsWordCharacter(out.back()) || out.back() == '>');
    if (ends && IsWordCharacter(text[next])) out += ' ';
    i = next - 1;
  }
  EraseAbiTags(out);
  EraseAll(out, "__cxx11::");
  EraseDefaults(out);
  ReplaceAll(out, "std::basic_string<char>", "std::string");
  return out;
}

// Without "<...>" but those of operators. The demangler's brackets are balanced otherwise; where
// they are not, the text ends.
std::string WithoutTemplates(std::string_view text) {
  const std::size_t end = std::min(FindOperator(text), text.size());
  std::string out;
  int depth = 0;
  for (const char character : text.substr(0, end)) {
    if (character == '<') ++depth;
    if (depth == 0) out += character;
    if (character == '>' && depth > 0) --depth;
  }
  out += text.substr(end);
  return out;
}

// Where the parameter list of a name that people wrote begins; its size if there is none.
std::size_t FindParameters(std::string_view text) {
  std::size_t from = 0;
  if (const std::size_t at = FindOperator(text); at != std::string_view::npos) {
    from = at + kOperator.size();
    if (text.substr(from).starts_with("()")) from += 2;
    return std::min(text.find('(', from), text.size());
  }
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with(kAnonymous)) {
      i += kAnonymous.size() - 1;
      continue;
    }
    if (text[i] == '<') ++depth;
    if (text[i] == '>' && depth > 0) --depth;
    if (text[i] == '(' && depth == 0) return i;
  }
  return text.size();
}

// "const T&" as the demangler has it: "T const&".
std::string ConstBehind(std::string_view parameter) {
  constexpr std::string_view kConst = "const ";
  if (!parameter.starts_with(kConst)) return std::string(parameter);
  parameter.remove_prefix(kConst.size());
  int depth = 0;
  std::size_t end = 0;
  for (; end < parameter.size(); ++end) {
    if (parameter[end] == '<') ++depth;
    if (parameter[end] == '>') --depth;
    if (depth == 0 && (parameter[end] == '&' || parameter[end] == '*')) break;
  }
  return std::string(parameter.substr(0, end)) + " const" + std::string(parameter.substr(end));
}

struct Parameters {
  std::vector<std::string> types;
  std::string qualifiers;  // what follows the list
};

// Of "(int, char) const", as it was written.
Parameters ParseParameters(std::string_view text) {
  const std::string normal = Normal(text);
  Parameters out;
  std::string type;
  int depth = 0;
  std::size_t i = 0;
  for (; i < normal.size(); ++i) {
    const char character = normal[i];
    const bool opens = character == '(' || character == '<' || character == '[';
    const bool closes = character == ')' || character == '>' || character == ']';
    if (closes && --depth == 0) break;
    if (character == ',' && depth == 1) {
      out.types.push_back(ConstBehind(std::exchange(type, {})));
    } else if (depth > 0) {
      type += character;
    }
    if (opens) ++depth;
  }
  if (!type.empty() && !(out.types.empty() && type == "void")) {
    out.types.push_back(ConstBehind(type));
  }
  if (i < normal.size()) out.qualifiers = normal.substr(i + 1);
  return out;
}

// Of components from the last on: one that is mangled as it is written. Operators have a code of
// their own there, and some names of std an abbreviation.
std::string FindWord(std::string_view path) {
  constexpr std::array<std::string_view, 7> kAbbreviated = {
      "std", "allocator", "basic_string", "string", "istream", "ostream", "iostream"};
  std::string_view rest = path.substr(0, FindOperator(path));
  while (!rest.empty()) {
    std::size_t begin = rest.size();
    while (begin > 0 && IsWordCharacter(rest[begin - 1])) --begin;
    const std::string_view word = rest.substr(begin);
    const bool plain = !word.empty() && std::find(kAbbreviated.begin(), kAbbreviated.end(), word) ==
                                            kAbbreviated.end();
    if (plain) return std::string(word);
    rest = rest.substr(0, begin > 0 ? begin - 1 : 0);
  }
  return {};
}

}  // namespace

FunctionPattern::FunctionPattern(std::string_view text) {
  const std::size_t parameters = FindParameters(text);
  path_ = Normal(text.substr(0, parameters));
  if (parameters < text.size()) {
    Parameters parsed = ParseParameters(text.substr(parameters));
    parameters_ = std::move(parsed.types);
    qualifiers_ = std::move(parsed.qualifiers);
  }
  const std::string plain = WithoutTemplates(path_);
  has_templates_ = plain != path_;
  has_anonymous_ = path_.find(Normal(kAnonymous)) != std::string::npos;
  has_scopes_ = path_.find("::") != std::string::npos;
  word_ = FindWord(plain);
}

bool FunctionPattern::MatchesPath(std::string_view path) const {
  std::string normal = Normal(path);
  if (!has_templates_) normal = WithoutTemplates(normal);
  if (!has_anonymous_) EraseAll(normal, kAnonymous);
  if (!normal.ends_with(path_) || path_.empty()) return false;
  const std::string_view outer = std::string_view(normal).substr(0, normal.size() - path_.size());
  return outer.empty() || (has_scopes_ && outer.ends_with("::"));
}

bool FunctionPattern::MatchesParameters(std::string_view path, std::string_view full) const {
  if (!parameters_) return true;
  if (!full.starts_with(path)) return false;
  const Parameters parsed = ParseParameters(full.substr(path.size()));
  return parsed.types == *parameters_ && (qualifiers_.empty() || parsed.qualifiers == qualifiers_);
}

}  // namespace ct
