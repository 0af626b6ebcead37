// A function's name as people write it, and whether a symbol is meant by it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ct {

// "pthread_mutex_lock"; "app::Pool::acquire" with all its overloads and, where the pattern gives no
// template arguments, instantiations; "app::Pool::acquire(int)", that one. Of a name with "::" the
// outer scopes may be left out: "Pool::acquire" is "app::Pool::acquire", too. Spaces, ABI tags,
// anonymous namespaces and "std::__cxx11" do not count.
class FunctionPattern {
 public:
  explicit FunctionPattern(std::string_view text);

  // A word that the mangled name of every function that is meant contains; empty: there is none.
  [[nodiscard]] const std::string& word() const { return word_; }
  // `path`: the demangled name without parameters.
  [[nodiscard]] bool MatchesPath(std::string_view path) const;
  // `full`: the same with parameters and qualifiers.
  [[nodiscard]] bool MatchesParameters(std::string_view path, std::string_view full) const;
  [[nodiscard]] bool has_scopes() const { return has_scopes_; }
  [[nodiscard]] bool has_parameters() const { return parameters_.has_value(); }

 private:
  std::string path_;
  std::optional<std::vector<std::string>> parameters_;
  std::string qualifiers_;  // "const"; empty: any
  bool has_scopes_ = false;
  bool has_templates_ = false;
  bool has_anonymous_ = false;
  std::string word_;
};

}  // namespace ct
