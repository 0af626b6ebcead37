#include "model/function_name.h"

#include <algorithm>
#include <cctype>
#include <cstddef>

namespace ct {
namespace {

constexpr std::string_view kAnonymous = "(anonymous namespace)::";
constexpr std::string_view kOperator = "operator";

bool IsWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

bool OperatorStartsAt(std::string_view name, std::size_t at) {
  if (name.substr(at, kOperator.size()) != kOperator) return false;
  if (at > 0 && IsWord(name[at - 1])) return false;
  return at + kOperator.size() < name.size() && !IsWord(name[at + kOperator.size()]);
}

// The end of an operator's own symbol, "operator<<" or "operator()"; `at` stands behind "operator".
std::size_t OperatorEnd(std::string_view name, std::size_t at) {
  if (name.substr(at, 2) == "()" || name.substr(at, 2) == "[]") return at + 2;
  if (name[at] == ' ') {  // a conversion, new, delete: up to its parameters
    const auto parameters = name.find('(', at);
    return parameters == std::string_view::npos ? name.size() : parameters;
  }
  while (at < name.size() &&
         std::string_view("<>=!+-*/%^&|~,").find(name[at]) != std::string_view::npos) {
    ++at;
  }
  return at;
}

class Shortener {
 public:
  explicit Shortener(std::string_view name) : name_(name) {}

  // False if the name's brackets do not match.
  bool Run() {
    while (at_ < name_.size() && !done_) {
      if (!Step()) return false;
    }
    return angles_ == 0 && braces_ == 0;
  }
  [[nodiscard]] const std::string& result() const { return result_; }

 private:
  bool Step() {
    if (name_.substr(at_, kAnonymous.size()) == kAnonymous) {
      at_ += kAnonymous.size();
    } else if (angles_ == 0 && OperatorStartsAt(name_, at_)) {
      const std::size_t end = OperatorEnd(name_, at_ + kOperator.size());
      result_.append(name_, at_, end - at_);
      at_ = end;
    } else {
      return Character(name_[at_++]);
    }
    return true;
  }

  // False for a bracket that closes nothing.
  bool Character(char c) {
    if (c == '<') {
      ++angles_;
      return true;
    }
    if (c == '>') return angles_-- > 0;
    if (angles_ > 0) return true;
    if (braces_ == 0 && c == '(') {
      done_ = true;  // parameters, and qualifiers behind them, unless a name goes on there
      GoOnBehindParameters();
    } else if (braces_ == 0 && c == ' ') {
      result_.clear();  // what stood before was the return type
    } else {
      result_ += c;
      if (c == '{') ++braces_;
      if (c == '}') return braces_-- > 0;
    }
    return true;
  }

  // "f(int)::{lambda()#1}::operator()() const": a local entity's name continues.
  void GoOnBehindParameters() {
    std::size_t depth = 1;
    std::size_t end = at_;
    while (end < name_.size() && depth > 0) {
      if (name_[end] == '(') ++depth;
      if (name_[end] == ')') --depth;
      ++end;
    }
    if (result_ == "decltype") {  // of a return type
      result_.clear();
      at_ = end;
      done_ = false;
      return;
    }
    if (name_.substr(end, 6) == " const") end += 6;
    if (name_.substr(end, 2) != "::") return;
    at_ = end;
    done_ = false;
  }

  std::string_view name_;
  std::string result_;
  std::size_t at_ = 0;
  int angles_ = 0;
  int braces_ = 0;
  bool done_ = false;
};

}  // namespace

std::string ShortFunction(std::string_view demangled) {
  // "<T as Trait>::method" of Rust and "sync.(*Mutex).Lock" of Go are short as they are.
  const bool go = demangled.find(".(") != std::string_view::npos;
  if (demangled.empty() || demangled.front() == '<' || go) return std::string(demangled);
  Shortener shortener(demangled);
  if (!shortener.Run() || shortener.result().empty()) return std::string(demangled);
  return shortener.result();
}

std::string ShortPythonFunction(std::string_view qualified) {
  constexpr std::string_view kLocals = "<locals>.";
  std::string name;
  for (std::size_t at = 0; at < qualified.size();) {
    const std::size_t next = std::min(qualified.find(kLocals, at), qualified.size());
    name += qualified.substr(at, next - at);
    at = next + kLocals.size();
  }
  return name;
}

}  // namespace ct
