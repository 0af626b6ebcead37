#include "runtimes/cpython/code.h"

#include <algorithm>

#include "runtimes/cpython/tables.h"

namespace ct::cpython {
namespace {

// PyCodeObject, the same from 3.11 to 3.15.
constexpr std::uint64_t kSize = 16;  // ob_size: code units
constexpr std::uint64_t kNames = 32;
constexpr std::uint64_t kExceptionTable = 40;
constexpr std::uint64_t kLocalNames = 96;
constexpr std::uint64_t kFileName = 112;
constexpr std::uint64_t kQualifiedName = 128;
constexpr std::uint64_t kLineTable = 136;

constexpr std::size_t kMaxCodes = 1 << 17;
constexpr std::size_t kMaxName = 256;
constexpr std::size_t kMaxFileName = 4096;
constexpr std::size_t kMaxTable = 1 << 20;
constexpr std::size_t kMaxLocals = 4096;  // with names; functions of generated code have hundreds
constexpr std::uint32_t kMaxSlots = 1 << 16;
constexpr std::size_t kMaxNames = 4096;
constexpr std::size_t kUnit = 2;  // _Py_CODEUNIT

}  // namespace

bool IsLibraryFile(std::string_view file) {
  return file.find("/lib/python3") != std::string_view::npos ||
         file.find("-packages/") != std::string_view::npos || file.starts_with("<frozen ");
}

bool IsStandardFile(std::string_view file) {
  return IsLibraryFile(file) && file.find("-packages/") == std::string_view::npos;
}

bool CodeCache::Load(Address address, Code& code, PythonCode& name) {
  if (heap_.KindOf(address) != Kind::kCode) return false;
  const Offsets& offsets = heap_.offsets();
  const auto locals = heap_.Value<std::int32_t>(address + offsets.code_nlocalsplus);
  const auto stack_size = heap_.Value<std::int32_t>(address + offsets.code_stacksize);
  const auto first_line = heap_.Value<std::int32_t>(address + offsets.code_firstlineno);
  auto function = heap_.Str(heap_.Word(address + kQualifiedName), kMaxName);
  auto file = heap_.Str(heap_.Word(address + kFileName), kMaxFileName);
  if (!locals || !stack_size || !first_line || !function || !file) return false;
  if (*locals < 0 || *stack_size < 0) return false;
  code.address = address;
  code.locals = std::min(static_cast<std::uint32_t>(*locals), kMaxSlots);
  code.stack_size = std::min(static_cast<std::uint32_t>(*stack_size), kMaxSlots);
  code.first_line = *first_line > 0 ? static_cast<std::uint32_t>(*first_line) : 0;
  code.bytecode = address + offsets.code_bytecode;
  code.line_table = heap_.Bytes(heap_.Word(address + kLineTable), kMaxTable).value_or("");
  code.exception_table = heap_.Bytes(heap_.Word(address + kExceptionTable), kMaxTable).value_or("");
  std::uint64_t kept = code.line_table.size() + code.exception_table.size() + function->size() +
                       file->size() + sizeof(Code);
  for (const Address local : heap_.Elements(heap_.Word(address + kLocalNames), kMaxLocals)) {
    code.local_names.push_back(heap_.Str(local, kMaxName).value_or(""));
    kept += sizeof(std::string) + code.local_names.back().size();
  }
  if (!Spend(bytes_left_, kept)) {
    code = {};
    return false;
  }
  code.function = *function;
  name = {std::move(*function), std::move(*file)};
  return true;
}

// Tables that are large in every one of many code objects would cost gigabytes, or for ever.
bool CodeCache::Spend(std::uint64_t& budget, std::uint64_t amount) {
  if (amount <= budget) {
    budget -= amount;
    return true;
  }
  budget = 0;
  heap_.skips().Add("tables of code objects beyond the limit");
  return false;
}

Code* CodeCache::At(Address address) {
  const auto found = codes_.find(address);
  if (found != codes_.end()) return found->second.bytecode != 0 ? &found->second : nullptr;
  if (codes_.size() >= kMaxCodes) {
    heap_.skips().Add("more code objects than are kept");
    return nullptr;
  }
  Code& code = codes_[address];
  PythonCode name;
  if (!Load(address, code, name)) return nullptr;
  code.index = static_cast<std::uint32_t>(names_.size());
  names_.push_back(std::move(name));
  return &code;
}

std::optional<std::uint32_t> CodeCache::Named(const PythonCode& code) {
  const std::pair key(code.function, code.file);
  const auto known = named_.find(key);
  if (known != named_.end()) return known->second;
  if (named_.size() >= kMaxCodes ||
      !Spend(bytes_left_, 2 * (code.function.size() + code.file.size() + sizeof(PythonCode)))) {
    return std::nullopt;
  }
  const auto index = static_cast<std::uint32_t>(names_.size());
  named_.emplace(key, index);
  names_.push_back(code);
  return index;
}

bool CodeCache::Covers(const Code& code, Address instruction) {
  const auto units = heap_.Value<std::int64_t>(code.address + kSize).value_or(0);
  if (units < 0 || instruction + kUnit < code.bytecode) return false;
  return (instruction + kUnit - code.bytecode) / kUnit <= static_cast<std::uint64_t>(units);
}

std::uint32_t CodeCache::LineOf(Code& code, Address instruction) {
  // A frame that has not begun, or 3.11's before its first instruction, is at the function's line.
  if (instruction < code.bytecode) return code.first_line;
  const std::uint64_t offset = instruction - code.bytecode;
  const auto [found, is_new] = code.lines.try_emplace(offset);
  if (is_new && Spend(scans_left_, code.line_table.size())) {
    found->second = LineAt(code.line_table, code.first_line, offset);
  }
  return found->second;
}

std::uint32_t CodeCache::DepthAt(Code& code, Address instruction) {
  if (instruction < code.bytecode) return 0;
  const std::uint64_t offset = instruction - code.bytecode;
  const auto [found, is_new] = code.depths.try_emplace(offset);
  if (is_new && Spend(scans_left_, code.exception_table.size())) {
    found->second = HandlerDepthAt(code.exception_table, offset).value_or(0);
  }
  return found->second;
}

std::vector<Instruction> CodeCache::InstructionsOf(const Code& code) {
  const auto units = heap_.Value<std::int64_t>(code.address + kSize).value_or(0);
  const auto size =
      static_cast<std::size_t>(std::clamp<std::int64_t>(units, 0, std::int64_t{kMaxInstructions})) *
      kUnit;
  if (!Spend(scans_left_, size)) return {};
  std::vector<std::byte> bytecode(size);
  if (!heap_.Read(code.bytecode, bytecode)) return {};
  return Disassemble(bytecode, heap_.offsets().minor);
}

const NameAccesses& CodeCache::AccessesOf(Code& code) {
  if (code.accesses) return *code.accesses;
  code.accesses.emplace();
  NameAccesses found = FindNameAccesses(InstructionsOf(code), heap_.offsets().minor);
  if (found.accesses.empty() && found.yields.empty()) return *code.accesses;
  std::uint64_t kept = found.accesses.size() * sizeof(NameAccess) + found.yields.size() * 4;
  std::vector<std::string> names;
  for (const Address name : heap_.Elements(heap_.Word(code.address + kNames), kMaxNames)) {
    names.push_back(heap_.Str(name, kMaxName).value_or(""));
    kept += sizeof(std::string) + names.back().size();
  }
  if (!Spend(bytes_left_, kept)) return *code.accesses;
  code.names = std::move(names);
  code.accesses = std::move(found);
  return *code.accesses;
}

}  // namespace ct::cpython
