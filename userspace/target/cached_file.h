// Everything that one ELF file says, each part loaded when it is first asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "target/function_names.h"
#include "target/internal_names.h"
#include "target/source_lines.h"
#include "target/symbol_table.h"
#include "target/unwind_table.h"

namespace ct {

// Opens the file again. No descriptor is kept: one would keep the file system of a target's mount
// namespace busy, and a deleted file's blocks allocated.
class FileOpener {
 public:
  virtual ~FileOpener() = default;
  // nullptr if the file cannot be had now, or is no longer the same one.
  virtual std::unique_ptr<ByteSource> Open() = 0;
};

class CachedFile {
 public:
  // `debug_root`: where the host keeps separate debug files.
  CachedFile(ElfFile elf, std::string debug_root);

  [[nodiscard]] const ElfFile& elf() const { return elf_; }
  UnwindTable* Unwinding(FileOpener& opener);      // nullptr if the file cannot be had now
  const SymbolTable* Symbols(FileOpener& opener);  // nullptr likewise
  // Knows all of `names`; nullptr likewise.
  const FunctionNames* Named(std::span<const std::string> names, FileOpener& opener);
  // See target/eh_frame.h; empty, too, if the file cannot be had now.
  const std::vector<std::uint64_t>& FunctionStarts(FileOpener& opener);
  // Innermost first, at least one; the last is the function at `vaddr` itself, with an empty name
  // if unknown. Valid until the next call.
  const std::vector<SourcePlace>& Describe(std::uint64_t vaddr, bool source_lines,
                                           FileOpener& opener);

  [[nodiscard]] std::size_t bytes() const;
  // Forgets everything but the headers; it is loaded again when asked for.
  void Clear();

 private:
  struct Description {
    bool with_lines = false;
    std::vector<SourcePlace> places;
  };
  std::string FunctionName(std::uint64_t vaddr, FileOpener& opener);
  const InternalNames* Internal(FileOpener& opener);
  SourceLines* Lines(FileOpener& opener);
  // Where its symbols are: in itself, or in separate debug information besides.
  void VisitTables(ByteSource& source, const std::function<void(const SymbolSource&)>& visit) const;
  [[nodiscard]] bool IsCLibrary() const;

  ElfFile elf_;
  std::string debug_root_;
  std::unique_ptr<UnwindTable> unwinding_;
  std::unique_ptr<SymbolTable> symbols_;
  std::unique_ptr<FunctionNames> named_;
  std::optional<std::vector<std::uint64_t>> starts_;
  std::unique_ptr<InternalNames> internal_;
  std::unique_ptr<SourceLines> lines_;
  bool lines_tried_ = false;
  std::unordered_map<std::uint64_t, Description> descriptions_;
};

}  // namespace ct
