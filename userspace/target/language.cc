#include "target/language.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace ct {
namespace {

struct Runtime {
  std::string_view file_prefix;
  std::string_view language;
};

// Shared libraries of runtimes, and executables that contain one.
constexpr std::array<Runtime, 7> kLibraries = {{{"libjvm.so", "java"},
                                                {"libcoreclr.so", "c#"},
                                                {"libnode.so", "node.js"},
                                                {"libruby-", "ruby"},
                                                {"libruby.so", "ruby"},
                                                {"libperl.so", "perl"},
                                                {"libphp", "php"}}};
constexpr std::array<Runtime, 6> kExecutables = {{{"node", "node.js"},
                                                  {"ruby", "ruby"},
                                                  {"perl", "perl"},
                                                  {"php", "php"},
                                                  {"beam.smp", "erlang"},
                                                  {"lua", "lua"}}};

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// "3.11" of "libpython3.11.so.1.0" and "python3.11"; empty without both numbers.
std::string_view PythonVersion(std::string_view name) {
  constexpr std::string_view kPython = "python";
  const std::size_t at = name.find(kPython);
  if (at != 0 && !(at == 3 && name.starts_with("lib"))) return {};
  std::string_view version = name.substr(at + kPython.size());
  const auto is_digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  std::size_t length = 0;
  std::size_t dots = 0;
  while (length < version.size()) {
    const bool dot = version[length] == '.' && dots == 0;
    if (!dot && !is_digit(version[length])) break;
    dots += dot ? 1 : 0;
    ++length;
  }
  version = version.substr(0, length);
  return dots == 1 && is_digit(version.front()) && is_digit(version.back()) ? version
                                                                            : std::string_view();
}

std::string RuntimeOf(std::string_view name, std::span<const Runtime> runtimes) {
  for (const Runtime& runtime : runtimes) {
    if (name.starts_with(runtime.file_prefix)) return std::string(runtime.language);
  }
  return {};
}

bool SectionContains(CachedFile& file, FileOpener& opener, std::string_view name,
                     std::uint64_t limit, std::string_view wanted) {
  const ElfSection* section = file.elf().Section(name);
  const auto source = section != nullptr ? opener.Open() : nullptr;
  const auto bytes = source ? ReadSection(*source, *section, limit) : std::nullopt;
  if (!bytes) return false;
  const std::string_view text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  return text.find(wanted) != std::string_view::npos;
}

bool IsRust(CachedFile& file, FileOpener& opener) {
  // The compiler signs its objects in .comment, which strip leaves alone.
  constexpr std::uint64_t kMaxComment = 4096;
  return SectionContains(file, opener, ".comment", kMaxComment, "rustc version");
}

// Its own use of the C++ runtime, not that of a library (PostgreSQL is C and maps libstdc++ for
// ICU): what it imports is named in .dynstr, what it contains in its symbol table.
bool IsCxx(CachedFile& file, FileOpener& opener) {
  constexpr std::uint64_t kMaxNames = 16 << 20;
  constexpr std::string_view kPersonality = "__gxx_personality_v0";
  constexpr std::array<std::string_view, 3> kImports = {"libstdc++.so", "libc++.so", kPersonality};
  for (const std::string_view import : kImports) {
    if (SectionContains(file, opener, ".dynstr", kMaxNames, import)) return true;
  }
  const SymbolTable* symbols = file.Symbols(opener);
  if (symbols == nullptr) return false;
  const auto& functions = symbols->functions();
  return std::any_of(functions.begin(), functions.end(), [&](const Symbol& symbol) {
    return std::string_view(symbol.name) == kPersonality;
  });
}

}  // namespace

std::string LanguageOfRuntime(std::span<const Mapping> mappings, std::string_view executable) {
  for (const Mapping& mapping : mappings) {
    if (!mapping.executable || !mapping.HasFile()) continue;
    const std::string_view name = BaseName(mapping.path);
    if (std::string language = RuntimeOf(name, kLibraries); !language.empty()) return language;
    if (const auto version = PythonVersion(name); !version.empty()) {
      return "python " + std::string(version);
    }
  }
  return RuntimeOf(BaseName(executable), kExecutables);
}

std::string LanguageOfFile(CachedFile& file, FileOpener& opener) {
  if (file.elf().is_go) return "go";
  if (IsRust(file, opener)) return "rust";
  return IsCxx(file, opener) ? "c++" : "c";
}

}  // namespace ct
