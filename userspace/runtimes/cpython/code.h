// Code objects, each read once.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtimes/cpython/objects.h"

namespace ct::cpython {

struct Code {
  std::uint32_t index = 0;  // in PythonProcess::codes
  std::string function;
  std::uint32_t first_line = 0;
  std::uint32_t locals = 0;      // co_nlocalsplus: the operand stack begins there
  std::uint32_t stack_size = 0;  // how many slots it has at most
  Address bytecode = 0;
  std::string line_table;
  std::string exception_table;
  std::vector<std::string> local_names;  // co_localsplusnames
  // Lines and depths are asked for again and again at the same few instructions.
  std::unordered_map<std::uint64_t, std::uint32_t> lines;
  std::unordered_map<std::uint64_t, std::uint32_t> depths;
};

class CodeCache {
 public:
  explicit CodeCache(Heap& heap) : heap_(heap) {}
  // nullptr if there is no code object. Valid as long as the cache.
  Code* At(Address address);
  // Of the instruction at this address.
  std::uint32_t LineOf(Code& code, Address instruction);
  // How many operands are live whatever happens to the instruction at this address; 0 if no handler
  // covers it.
  std::uint32_t DepthAt(Code& code, Address instruction);
  [[nodiscard]] const std::string& FileOf(const Code& code) const {
    return names_[code.index].file;
  }
  [[nodiscard]] std::vector<PythonCode> Take() { return std::move(names_); }

 private:
  bool Load(Address address, Code& code, PythonCode& name);
  bool Spend(std::uint64_t& budget, std::uint64_t amount);

  Heap& heap_;
  std::unordered_map<Address, Code> codes_;
  std::vector<PythonCode> names_;
  std::uint64_t bytes_left_ = 128 << 20;   // of tables and names that are kept
  std::uint64_t scans_left_ = 1ULL << 30;  // bytes of tables looked at
};

}  // namespace ct::cpython
