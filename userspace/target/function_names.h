// The functions of one file by name.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "target/elf_file.h"

namespace ct {

enum class NamedKind : std::uint8_t {
  kFunction,
  kClone,     // what the compiler made of it where it knew more of its arguments
  kIndirect,  // STT_GNU_IFUNC: it says which function is meant
};

struct NamedSymbol {
  NamedKind kind = NamedKind::kFunction;
  std::uint64_t address = 0;
  std::uint64_t size = 0;  // at least 1
  std::string name;        // for people: "pthread_mutex_lock", "app::Pool::acquire(int)"
  bool operator==(const NamedSymbol&) const = default;
};

// One symbol table to look through. What it points to must outlive the call.
struct SymbolSource {
  ByteSource* source = nullptr;
  const ElfFile* file = nullptr;  // describes the sections of `source`
  std::string_view section;
};

// Looks through the tables once for all names that it is asked for together, and remembers what
// there was; a table itself is not kept.
class FunctionNames {
 public:
  // Names as FunctionPattern has them, or symbols as the file has them (a mangled name, a clone).
  static constexpr std::size_t kMaxNames = 4096;     // remembered at once
  static constexpr std::size_t kMaxSameName = 256;   // overloads, versions
  static constexpr std::size_t kMaxSize = 64 << 10;  // of a function of unknown length

  [[nodiscard]] bool Knows(std::span<const std::string> names) const;
  // `tables` calls what it is given for each table. `starts`: first addresses of functions, for
  // those without a size.
  using Visit = std::function<void(const SymbolSource&)>;
  void Find(std::span<const std::string> names, const std::function<void(const Visit&)>& tables,
            std::span<const std::uint64_t> starts);
  // What Find found, by address, each address once; nothing for a name that it never saw.
  [[nodiscard]] std::span<const NamedSymbol> Of(const std::string& name) const;
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  [[nodiscard]] std::vector<std::string> Unknown(std::span<const std::string> names) const;
  std::unordered_map<std::string, std::vector<NamedSymbol>> known_;
  std::size_t bytes_ = 0;
};

}  // namespace ct
