// One live process, from outside and without stopping it: its memory, modules, stacks and names.
// Everything read here is hostile input (DESIGN.md, rule 8): bounded, never trusted, and no path
// of the target is opened except through /proc/PID/map_files or below its own root.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/frame.h"
#include "target/memory.h"
#include "target/registers.h"

namespace ct {

// One line of /proc/PID/maps.
struct Mapping {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t file_offset = 0;
  std::uint64_t device = 0;  // makedev(major, minor); 0 with inode 0 = anonymous
  std::uint64_t inode = 0;
  bool readable = false;
  bool writable = false;
  bool executable = false;
  bool shared = false;
  std::string path;  // as the target names it; "[heap]", "[stack]", "[vdso]"; "" = anonymous
};

// How far a stack is wanted.
struct StackOptions {
  std::uint32_t max_frames = 512;
  bool source_lines = true;  // file:line and inlined frames, where debug information exists
};

// A stack whose frames name modules of `modules` (see Target::modules).
// raw_sp[i] is the canonical frame address of frames[i] (inlined frames repeat their caller's):
// decoders and the guard scan need it.
struct UnwoundStack {
  Stack stack;
  std::vector<std::uint64_t> cfa;
};

// Caches of what files say (symbols, unwind rows, lines), keyed by build-id and shared between all
// targets of one reader process; bounded.
class FileCache;
std::shared_ptr<FileCache> MakeFileCache();

class Target {
 public:
  // Opens /proc/PID. kNotFound if it is gone.
  static Result<std::unique_ptr<Target>> Open(pid_t pid, std::shared_ptr<FileCache> cache);
  virtual ~Target() = default;

  virtual pid_t pid() const = 0;
  virtual Memory& memory() = 0;

  // Re-reads /proc/PID/maps if it may have changed since the last call. Called once per request.
  virtual Status Refresh() = 0;
  virtual std::span<const Mapping> mappings() const = 0;      // sorted by begin
  virtual const Mapping* FindMapping(std::uint64_t address) const = 0;
  // All modules that a frame of this target has named so far; Frame::module indexes it.
  virtual std::span<const Module> modules() const = 0;

  // Unwinds one sleeping thread. Never fails: what could not be had is in stack.end and in frames
  // without a function.
  virtual UnwoundStack Unwind(const Registers& registers, const StackOptions& options) = 0;

  // "g_ledger_mu", or "g_table+0x40" for an address inside a named data object; nullopt if no
  // symbol covers it.
  virtual std::optional<std::string> DataSymbol(std::uint64_t address) = 0;
  // "heap", "stack", ".bss of libfoo.so.1", "/dev/shm/x", "anonymous memory".
  virtual std::string DescribeAddress(std::uint64_t address) = 0;

  // "c", "c++", "rust", "go", "java", "python 3.11", ...; empty if unknown.
  virtual std::string Language() = 0;
};

}  // namespace ct
