// One live process, from outside and without stopping it: its memory, modules, stacks and names.
// Everything read here is hostile input (DESIGN.md, rule 8): bounded, never trusted, and no path
// of the target is opened except through /proc/PID/map_files or below its own root.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/frame.h"
#include "model/registers.h"
#include "target/byte_source.h"
#include "target/mapping.h"
#include "target/memory.h"

namespace ct {

// How far a stack is wanted.
struct StackOptions {
  std::uint32_t max_frames = 512;
  bool source_lines = true;  // file:line and inlined frames, where debug information exists
  Memory* memory = nullptr;  // where the stack is read; nullptr: the process as it is now
};

// A stack whose frames name modules of `modules` (see Target::modules).
// cfa[i] is the canonical frame address of frames[i] (inlined frames repeat their caller's):
// decoders and the guard scan need it.
struct UnwoundStack {
  Stack stack;
  std::vector<std::uint64_t> cfa;
};

// A frame in a local function of the C library, which has no symbol of its own in a stripped file,
// is named after the exported function that calls or jumps to it, with this suffix:
// "sem_wait (internal)". Where separate debug information is installed the frame has its own name
// instead ("__new_sem_wait_slow64.constprop.0"): whoever matches names must expect both.
inline constexpr std::string_view kInternalSuffix = " (internal)";
inline std::string_view WithoutInternalSuffix(std::string_view function) {
  if (function.ends_with(kInternalSuffix)) function.remove_suffix(kInternalSuffix.size());
  return function;
}

// Caches of what files say (symbols, unwind rows, lines), shared between all targets of one reader
// process; not thread-safe. Keyed by the file's device, inode, size and times.
class FileCache;
struct FileCacheOptions {
  // Roughly how much may be kept; looked at in Target::Refresh. One request may exceed it.
  std::size_t max_bytes = 256 << 20;
  std::string debug_root = "/usr/lib/debug";  // the host's separate debug files
};
std::shared_ptr<FileCache> MakeFileCache(FileCacheOptions options = {});

// Where in a file a function begins.
struct FunctionPlace {
  std::uint64_t map_begin = 0;  // the mapping that it is in
  std::uint64_t map_end = 0;
  std::uint64_t file_offset = 0;
  std::uint64_t inode = 0;  // as fstat() of the file has it; maps may have another
  bool operator==(const FunctionPlace&) const = default;
};

// A function that is looked for by name in the files that a process has mapped.
struct FunctionQuery {
  // A symbol without its version, or a C++ name as people write it: see FunctionPattern.
  std::string name;
  // fnmatch patterns of file names ("libpthread*.so*"); "exe": the program itself.
  std::vector<std::string> files;
};

struct NamedFunction {
  std::uint32_t query = 0;  // which of the queries found it
  std::string name;         // as found: "app::Pool::acquire(int)"
  std::string path;         // of its file, as the process names it
  FunctionPlace place;
  std::uint64_t address = 0;  // in the process
  Bytes code;                 // see FunctionCode; empty: see why_not
  std::string why_not;        // no function to be followed: an IFUNC, a clone; or it cannot be read
};

// Machine code as a file has it, where no breakpoint is seen: Target::kMaxCode bytes at most.
struct FunctionCode {
  std::uint64_t address = 0;  // in the process
  Bytes code;
};

struct NamedFunctions {
  std::vector<NamedFunction> functions;  // sorted by query and address
  bool more = false;                     // than Target::kMaxNamedFunctions
  std::vector<std::string> unreadable;   // paths of files that may have some, too
};

class Target {
 public:
  static constexpr std::size_t kMaxCode = 64 << 10;
  static constexpr std::size_t kMaxNamedFunctions = 1024;  // of one question

  // Opens /proc/PID. kNotFound if it is gone; kUnsupported for a kernel thread and for a program
  // that is not 64-bit x86; kPermission without the right to trace it.
  static Result<std::unique_ptr<Target>> Open(pid_t pid, std::shared_ptr<FileCache> cache);
  virtual ~Target() = default;

  virtual pid_t pid() const = 0;
  virtual Memory& memory() = 0;

  // Re-reads /proc/PID/maps if it may have changed since the last call. Called once per request.
  virtual Status Refresh() = 0;
  virtual std::span<const Mapping> mappings() const = 0;  // sorted by begin
  virtual const Mapping* FindMapping(std::uint64_t address) const = 0;
  // All modules that a frame of this target has named so far; Frame::module indexes it.
  virtual std::span<const Module> modules() const = 0;

  // Unwinds one sleeping thread. Never fails: what could not be had is in stack.end and in frames
  // without a function.
  virtual UnwoundStack Unwind(const Registers& registers, const StackOptions& options) = 0;

  // "g_ledger_mu", or "g_table+0x40" for an address inside a named data object; nullopt if no
  // symbol covers it.
  virtual std::optional<std::string> DataSymbol(std::uint64_t address) = 0;
  // Where in the target's memory the data object of this name is that the ELF file behind `mapping`
  // defines; and where its section of this name is loaded. nullopt if the file has none, or cannot
  // be had. `mapping` is one of mappings().
  virtual std::optional<std::uint64_t> ObjectNamed(const Mapping& mapping,
                                                   std::string_view symbol) = 0;
  virtual std::optional<std::uint64_t> SectionNamed(const Mapping& mapping,
                                                    std::string_view section) = 0;
  // nullopt unless the call frame information of a file says that a function begins at this
  // address.
  virtual std::optional<FunctionPlace> FunctionBeginningAt(std::uint64_t address) = 0;
  // Overloads and versions of one name are several functions.
  virtual NamedFunctions FunctionsNamed(std::span<const FunctionQuery> queries) = 0;
  // The function at this address, or the part of one that the compiler laid elsewhere (".cold");
  // nullopt if none is known or it cannot be read.
  virtual std::optional<FunctionCode> CodeAt(std::uint64_t address) = 0;
  // "heap", "stack", ".bss of libfoo.so.1", "/dev/shm/x", "anonymous memory".
  virtual std::string DescribeAddress(std::uint64_t address) = 0;

  // "c", "c++", "rust", "go", "java", "python 3.11", ...; empty if unknown.
  virtual std::string Language() = 0;
};

}  // namespace ct
