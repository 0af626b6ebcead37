// Code objects, each read once.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtimes/cpython/bytecode.h"
#include "runtimes/cpython/objects.h"

namespace ct::cpython {

struct Code {
  Address address = 0;
  std::uint32_t index = 0;  // in PythonProcess::codes
  std::string function;
  std::uint32_t first_line = 0;
  std::uint32_t locals = 0;      // co_nlocalsplus: the operand stack begins there
  std::uint32_t stack_size = 0;  // how many slots it has at most
  Address bytecode = 0;
  std::string line_table;
  std::string exception_table;
  std::vector<std::string> local_names;  // co_localsplusnames
  // What it does with dotted names, once somebody has asked.
  std::optional<NameAccesses> accesses;
  std::vector<std::string> names;  // co_names
  // Lines and depths are asked for again and again at the same few instructions.
  std::unordered_map<std::uint64_t, std::uint32_t> lines;
  std::unordered_map<std::uint64_t, std::uint32_t> depths;
};

// Where the standard library lies, and with it what was installed. "lib/python3.N/" has both.
bool IsLibraryFile(std::string_view file);
bool IsStandardFile(std::string_view file);

class CodeCache {
 public:
  explicit CodeCache(Heap& heap) : heap_(heap) {}
  // nullptr if there is no code object. Valid as long as the cache.
  Code* At(Address address);
  // An instruction of this code may be at this address; 3.11's before the first is right before it.
  bool Covers(const Code& code, Address instruction);
  // Of the instruction at this address.
  std::uint32_t LineOf(Code& code, Address instruction);
  // How many operands are live whatever happens to the instruction at this address; 0 if no handler
  // covers it.
  std::uint32_t DepthAt(Code& code, Address instruction);
  // The index of a function that is known by its name alone; nullopt beyond the limit.
  std::optional<std::uint32_t> Named(const PythonCode& code);
  // Of its bytecode, as it is now. The names that its indices mean are code.names then.
  const NameAccesses& AccessesOf(Code& code);
  std::vector<Instruction> InstructionsOf(const Code& code);
  [[nodiscard]] const std::string& FileOf(const Code& code) const {
    return names_[code.index].file;
  }
  [[nodiscard]] std::vector<PythonCode> Take() { return std::move(names_); }

 private:
  bool Load(Address address, Code& code, PythonCode& name);
  bool Spend(std::uint64_t& budget, std::uint64_t amount);

  Heap& heap_;
  std::unordered_map<Address, Code> codes_;
  std::map<std::pair<std::string, std::string>, std::uint32_t> named_;
  std::vector<PythonCode> names_;
  std::uint64_t bytes_left_ = 128 << 20;   // of tables and names that are kept
  std::uint64_t scans_left_ = 1ULL << 30;  // bytes of tables looked at
};

}  // namespace ct::cpython
